package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/falco-reporter/falco-reporter/internal/app"
	"github.com/falco-reporter/falco-reporter/internal/consumer/falcofile"
	"github.com/falco-reporter/falco-reporter/internal/consumer/falcogrpc"
	"github.com/falco-reporter/falco-reporter/internal/consumer/falcohttp"
)

// inputFlags are the flags that say where alerts come in.
type inputFlags struct {
	falco                    []string
	caFile, certFile         string
	keyFile                  string
	busy, idle               time.Duration
	files                    []string
	filesFromEnd             bool
	http                     []string
	httpSecretFile           string
	httpCert, httpKey, httpC string
	stdin                    bool
}

// add adds the flags.
func (f *inputFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.files, "alerts-file", nil, "follow the file that Falco's file_output writes (json_output: true); may be repeated")
	flags.BoolVar(&f.filesFromEnd, "alerts-file-from-end", false, "begin with what is written from now on, where a file was never followed before")
	flags.StringArrayVar(&f.http, "http-listen", nil, "take alerts by HTTP POST at HOST:PORT, from Falco's http_output or falcosidekick; may be repeated")
	flags.StringVar(&f.httpSecretFile, "http-secret-path-file", "", "file with the path that alerts must be posted to, such as /x3kq0v…")
	flags.StringVar(&f.httpCert, "http-cert", "", "file with our certificate, for --http-listen with TLS")
	flags.StringVar(&f.httpKey, "http-key", "", "file with our key, for --http-listen with TLS")
	flags.StringVar(&f.httpC, "http-client-ca", "", "file with the CA of the senders' certificates, for mutual TLS")
	flags.BoolVar(&f.stdin, "stdin", false, "take alerts from standard input, from Falco's program_output or a pipe")
	flags.StringArrayVar(&f.falco, "falco", nil, "subscribe to Falco's gRPC server: unix:///PATH or HOST:PORT (Falco 0.18 to 0.43); may be repeated")
	flags.StringVar(&f.caFile, "falco-ca", "", "file with the CA of Falco's certificate, for --falco HOST:PORT")
	flags.StringVar(&f.certFile, "falco-cert", "", "file with our certificate, for --falco HOST:PORT")
	flags.StringVar(&f.keyFile, "falco-key", "", "file with our key, for --falco HOST:PORT")
	flags.DurationVar(&f.busy, "falco-busy-interval", falcogrpc.DefaultBusyInterval, "how often to ask Falco while alerts arrive")
	flags.DurationVar(&f.idle, "falco-idle-interval", falcogrpc.DefaultIdleInterval, "how often to ask Falco otherwise")
}

// options checks the flags and reports everything that is wrong.
func (f *inputFlags) options(stdin io.Reader) (app.Inputs, error) {
	var out app.Inputs
	var errs []error
	if len(f.falco)+len(f.files)+len(f.http) == 0 && !f.stdin {
		errs = append(errs, errors.New("no input: give --alerts-file /var/log/falco/events.log, --http-listen 127.0.0.1:2802, --stdin, "+
			"or --falco unix:///run/falco/falco.sock (Falco up to 0.43)"))
	}
	if f.busy <= 0 || f.idle <= 0 {
		errs = append(errs, errors.New("--falco-busy-interval and --falco-idle-interval must be positive"))
	}
	for _, address := range f.falco {
		o := falcogrpc.Options{Address: address, BusyInterval: f.busy, IdleInterval: f.idle}
		if !falcogrpc.IsUnix(address) {
			tls, err := falcogrpc.MutualTLS(f.caFile, f.certFile, f.keyFile)
			if err != nil {
				errs = append(errs, err)
			}
			o.TLS = tls
		}
		out.Falco = append(out.Falco, o)
	}
	errs = append(errs, sameFiles(f.files)...)
	for _, path := range f.files {
		out.Files = append(out.Files, falcofile.Options{Path: path, FromEnd: f.filesFromEnd})
	}
	secret, err := f.secretPath()
	if err != nil {
		errs = append(errs, err)
	}
	for _, address := range f.http {
		out.HTTP = append(out.HTTP, falcohttp.Options{
			Address: address, SecretPath: secret, CertFile: f.httpCert, KeyFile: f.httpKey, ClientCAFile: f.httpC,
		})
	}
	if f.stdin {
		out.Stdin = stdin
	}
	return out, errors.Join(errs...)
}

// sameFiles refuses files that are given twice, also by two names for one: what one of them brings
// the other would only bring again.
func sameFiles(paths []string) (errs []error) {
	for i, path := range paths {
		for _, before := range paths[:i] {
			if isSameFile(before, path) {
				errs = append(errs, fmt.Errorf("--alerts-file %s and --alerts-file %s are the same file: give it once", before, path))
				break
			}
		}
	}
	return errs
}

// isSameFile reports whether two paths lead to one file, which need not exist yet.
func isSameFile(a, b string) bool {
	if fa, err := os.Stat(a); err == nil {
		if fb, err := os.Stat(b); err == nil && os.SameFile(fa, fb) {
			return true
		}
	}
	return resolved(a) == resolved(b)
}

// resolved is a path without symbolic links, as far as it leads.
func resolved(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if whole, err := filepath.EvalSymlinks(path); err == nil {
		return whole
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// secretPath reads the secret path. It is in a file, since every user of a host can read
// command lines.
func (f *inputFlags) secretPath() (string, error) {
	if f.httpSecretFile == "" {
		return "", nil
	}
	data, err := os.ReadFile(f.httpSecretFile)
	if err != nil {
		return "", fmt.Errorf("--http-secret-path-file: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}
