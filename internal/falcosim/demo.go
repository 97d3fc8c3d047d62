package falcosim

import "bytes"

//go:generate go run ./gen

// DemoAlerts is a small set of real alerts in Falco's JSON, one a line, to be read by [Load]:
// the three of the sample reports first, then very different ones, last a notice of Falco that
// it lost system calls. The caller owns the bytes.
func DemoAlerts() []byte { return bytes.Clone(demoAlerts) }
