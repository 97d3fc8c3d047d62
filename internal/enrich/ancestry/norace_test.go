//go:build !race

package ancestry_test

// raceDetector is whether the race detector is on.
const raceDetector = false
