package falcogrpc

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
)

// IsUnix reports whether an address names a unix socket.
func IsUnix(address string) bool { return strings.HasPrefix(address, "unix:") }

// MutualTLS makes the TLS configuration for Falco's network server from PEM files: the CA of
// Falco's certificate, and our certificate and key. All three are needed. The files are read
// once: a renewed certificate needs a restart.
func MutualTLS(caFile, certFile, keyFile string) (*tls.Config, error) {
	if caFile == "" || certFile == "" || keyFile == "" {
		return nil, errors.New("Falco's network server wants mutual TLS: give --falco-ca, --falco-cert and --falco-key") //nolint:staticcheck // Falco is a name
	}
	pem, err := os.ReadFile(caFile) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read the CA of Falco's certificate: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read the CA of Falco's certificate: %s holds no PEM certificate", caFile)
	}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("read our certificate for Falco: %w", err)
	}
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, nil
}
