package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/pflag"

	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry"
)

// ancestryFlags are the flags that say where the chain of processes is read from.
type ancestryFlags struct {
	from  string
	hosts []string
	procs []string
	size  string
}

// Values of --ancestry.
const (
	ancestryAuto  = "auto"
	ancestryAlert = "alert"
)

// machineIDFile has this host's identity.
const machineIDFile = "/etc/machine-id"

// add adds the flags.
func (f *ancestryFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.from, "ancestry", ancestryAuto,
		"where chains of processes come from: auto (the alert, and of this host's processes what we may see), alert (the alert alone)")
	flags.StringArrayVar(&f.hosts, "ancestry-host", nil, "hostname under which this host's Falco writes alerts, if it is not the host's; may be repeated")
	flags.StringArrayVar(&f.procs, "ancestry-proc", nil, "where the host's /proc is; by default /proc, and /host/proc in a container")
	flags.StringVar(&f.size, "ancestry-bytes", "16MiB", "how much memory the table of processes may take")
}

// options checks the flags; the result is nil for the alert alone.
func (f *ancestryFlags) options() (*ancestry.Options, error) {
	size, err := humanize.ParseBytes(f.size)
	if err != nil || size < 1<<20 || size > 1<<40 {
		return nil, fmt.Errorf("--ancestry-bytes %q: want a size from 1MiB on, such as 16MiB", f.size)
	}
	switch f.from {
	case ancestryAlert:
		return nil, nil //nolint:nilnil // none is meant
	case ancestryAuto:
	default:
		return nil, fmt.Errorf("--ancestry %q: choose one of %s, %s", f.from, ancestryAuto, ancestryAlert)
	}
	o := &ancestry.Options{
		ProcessTable: true, Procfs: true, ProcRoots: f.procs, Bytes: int64(size),
	}
	if len(f.hosts) > 0 {
		o.Hosts = f.hosts
		if name, err := os.Hostname(); err == nil {
			o.Hosts = append(o.Hosts, name)
		}
	}
	if id, err := os.ReadFile(machineIDFile); err == nil {
		o.MachineID = strings.TrimSpace(string(id))
	}
	return o, nil
}
