package falcohttp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
)

// certificates are the PEM files of a TLS server, read again when they have changed. While
// they do not fit together, as in the middle of a renewal, the last good ones stay.
type certificates struct {
	cert, key, clientCA string
	log                 *slog.Logger

	mu     sync.Mutex
	stamps [3]os.FileInfo
	config *tls.Config
	failed string // why they could not be read again; it is logged once
}

// load reads the files and returns a configuration of its own for the caller.
func (c *certificates) load() (*tls.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stamps, err := c.stat()
	if err != nil {
		return nil, err
	}
	if err := c.read(stamps); err != nil {
		return nil, err
	}
	return c.config.Clone(), nil
}

// forClient is a tls.Config's GetConfigForClient.
func (c *certificates) forClient(*tls.ClientHelloInfo) (*tls.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stamps, err := c.stat()
	if err == nil && c.changed(stamps) {
		if err = c.read(stamps); err == nil {
			c.log.Info("the certificates of the HTTP input were read again")
		}
	}
	switch {
	case err == nil:
		c.failed = ""
	case err.Error() != c.failed:
		c.failed = err.Error()
		c.log.Error("the certificates of the HTTP input cannot be read again; the old ones stay", "error", err)
	default:
	}
	return c.config, nil
}

func (c *certificates) stat() (stamps [3]os.FileInfo, err error) {
	for i, file := range []string{c.cert, c.key, c.clientCA} {
		if file == "" {
			continue
		}
		if stamps[i], err = os.Stat(file); err != nil {
			return stamps, fmt.Errorf("look at the files for TLS: %w", err)
		}
	}
	return stamps, nil
}

func (c *certificates) changed(now [3]os.FileInfo) bool {
	for i, was := range c.stamps {
		if was != nil && (!os.SameFile(was, now[i]) || was.Size() != now[i].Size() || !was.ModTime().Equal(now[i].ModTime())) {
			return true
		}
	}
	return false
}

// read makes the configuration. Files that change after they were stamped are read once more.
func (c *certificates) read(stamps [3]os.FileInfo) error {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("read the certificate and its key: %w", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if c.clientCA != "" {
		pem, err := os.ReadFile(c.clientCA)
		if err != nil {
			return fmt.Errorf("read the authorities of client certificates: %w", err)
		}
		config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !config.ClientCAs.AppendCertsFromPEM(pem) {
			return errors.New("read the authorities of client certificates: no PEM certificate in " + c.clientCA)
		}
	}
	c.config, c.stamps = config, stamps
	return nil
}
