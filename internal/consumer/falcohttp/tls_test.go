package falcohttp_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/consumer/falcohttp"
)

const secret = "/x3kq0vTn8-uWz5.t~7" //nolint:gosec // of a test

// TestWhoMayListenWhere: what others can reach takes TLS, and a proof of who sends.
func TestWhoMayListenWhere(t *testing.T) {
	pki := newPKI(t)
	names := map[string][]string{"inside": {"::1", "127.0.0.1"}, "outside": {"192.0.2.1"}, "both": {"::1", "192.0.2.1"}}
	lookup := func(_ context.Context, _, host string) (out []netip.Addr, err error) {
		for _, a := range names[host] {
			out = append(out, netip.MustParseAddr(a))
		}
		if a, err := netip.ParseAddr(host); err == nil {
			return []netip.Addr{a}, nil
		}
		if out == nil {
			err = errors.New("no such host")
		}
		return out, err
	}
	for _, test := range []struct {
		name string
		opts falcohttp.Options
		want string // in the error; none if empty
	}{
		{"loopback", falcohttp.Options{Address: "127.0.0.1:0"}, ""},
		{"loopback name", falcohttp.Options{Address: "inside:0"}, ""},
		{"mapped loopback", falcohttp.Options{Address: "[::ffff:127.0.0.1]:0"}, ""},
		{"all", falcohttp.Options{Address: ":0"}, "other hosts can reach"},
		{"all of IPv4", falcohttp.Options{Address: "0.0.0.0:0"}, "other hosts can reach"},
		{"all, mapped", falcohttp.Options{Address: "[::ffff:0.0.0.0]:0"}, "other hosts can reach"},
		{"name", falcohttp.Options{Address: "outside:0"}, "other hosts can reach"},
		{"name of both", falcohttp.Options{Address: "both:0"}, "other hosts can reach"},
		{"unknown name", falcohttp.Options{Address: "nowhere:0"}, "no such host"},
		{"secret without TLS", falcohttp.Options{Address: "0.0.0.0:0", SecretPath: secret}, "other hosts can reach"},
		{"TLS alone", falcohttp.Options{Address: "0.0.0.0:0", CertFile: pki.cert, KeyFile: pki.key}, "other hosts can reach"},
		{"TLS and secret", falcohttp.Options{Address: ":0", CertFile: pki.cert, KeyFile: pki.key, SecretPath: secret}, ""},
		{"mutual TLS", falcohttp.Options{Address: "0.0.0.0:0", CertFile: pki.cert, KeyFile: pki.key, ClientCAFile: pki.ca}, ""},
		{"no key", falcohttp.Options{Address: "127.0.0.1:0", CertFile: pki.cert}, "both a certificate and its key"},
		{"only a CA", falcohttp.Options{Address: "127.0.0.1:0", ClientCAFile: pki.ca}, "both a certificate and its key"},
		{"no such file", falcohttp.Options{Address: "127.0.0.1:0", CertFile: "none", KeyFile: pki.key}, "none"},
		{"no CA in it", falcohttp.Options{Address: "127.0.0.1:0", CertFile: pki.cert, KeyFile: pki.key, ClientCAFile: pki.key}, "no PEM certificate"},
		{"short secret", falcohttp.Options{Address: "127.0.0.1:0", SecretPath: "/short"}, "at least 16"},
		{"secret with a space", falcohttp.Options{Address: "127.0.0.1:0", SecretPath: secret + " x"}, "at least 16"},
		{"no port", falcohttp.Options{Address: "127.0.0.1"}, "HOST:PORT"},
		{"bad port", falcohttp.Options{Address: "127.0.0.1:65536"}, "invalid port"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.opts.Lookup = lookup
			in, err := falcohttp.New(t.Context(), test.opts, nil, nil, slog.New(slog.DiscardHandler))
			if err == nil {
				if err := in.Close(); err != nil {
					t.Error(err)
				}
			}
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

// TestSecretPath: only who knows it gets in, and it is told nowhere.
func TestSecretPath(t *testing.T) {
	b := listen(t, falcohttp.Options{SecretPath: secret})
	b.post(http.StatusOK, made(1))
	for _, path := range []string{"/", secret[:len(secret)-1], secret + "/", secret + "x", "/x" + secret, "//" + secret[1:]} {
		a, err := b.send(http.MethodPost, "http://"+b.address+path, bytes.NewReader(made(2)))
		if err != nil || a.status != http.StatusNotFound || strings.Contains(a.text, secret) {
			t.Errorf("%s: %+v, %v", path, a, err)
		}
	}
	s := b.stop()
	if s.Journaled != 1 || s.Rejected != 6 || strings.Contains(s.LastRejected+s.Address, secret[1:10]) {
		t.Errorf("%+v", s)
	}
	kept, err := b.journal.Rejected(context.Background())
	if err != nil || len(kept) != 6 {
		t.Errorf("%d kept, %v", len(kept), err)
	}
	for _, r := range kept {
		if strings.Contains(r.Reason+string(r.Raw), secret[1:10]) {
			t.Errorf("kept %+v", r)
		}
	}
	if strings.Contains(b.logs.String(), secret[1:10]) {
		t.Error(b.logs)
	}
}

// TestMutualTLS: a client without a certificate is refused; renewed files hold without a
// restart, and bad ones do not.
func TestMutualTLS(t *testing.T) {
	pki := newPKI(t)
	b := listen(t, falcohttp.Options{CertFile: pki.cert, KeyFile: pki.key, ClientCAFile: pki.ca})
	b.url = "https://" + b.address
	plain := b.client
	for n, http2 := range []bool{false, true} {
		b.client = pki.client(t, true, http2)
		if a := b.post(http.StatusOK, made(n)); (a.proto == "HTTP/2.0") != http2 {
			t.Errorf("it speaks %s", a.proto)
		}
		b.client.CloseIdleConnections()
	}
	b.client = pki.client(t, false, false)
	if a, err := b.send(http.MethodPost, b.url, bytes.NewReader(made(9))); err == nil {
		t.Errorf("without a certificate: %+v", a)
	}
	b.client = plain
	if a, err := b.send(http.MethodPost, "http://"+b.address, bytes.NewReader(made(9))); err == nil {
		t.Errorf("without TLS: %+v", a)
	}

	old := *pki
	if err := os.WriteFile(pki.key, []byte("half written"), 0o600); err != nil {
		t.Fatal(err)
	}
	for n := 2; n < 4; n++ {
		b.client = old.client(t, true, false)
		b.post(http.StatusOK, made(n))
		b.client.CloseIdleConnections()
	}
	pki.renew(t)
	b.client = pki.client(t, true, false)
	b.post(http.StatusOK, made(4))
	b.client.CloseIdleConnections()
	b.client = old.client(t, true, false)
	if a, err := b.send(http.MethodPost, b.url, bytes.NewReader(made(9))); err == nil {
		t.Errorf("with the old authority: %+v", a)
	}
	if s := b.stop(); s.Journaled != 5 || s.Received != 5 {
		t.Errorf("%+v", s)
	}
	if logs := b.logs.String(); strings.Count(logs, "cannot be read again") != 1 || strings.Count(logs, "were read again") != 1 {
		t.Error(logs)
	}
}

// pki is an authority with one certificate for both sides, in files.
type pki struct {
	ca, cert, key string
	pool          *x509.CertPool
	pair          tls.Certificate
}

func newPKI(t *testing.T) *pki {
	t.Helper()
	dir := t.TempDir()
	p := &pki{ca: filepath.Join(dir, "ca.pem"), cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	p.renew(t)
	return p
}

// renew makes everything anew, in the same files.
func (p *pki) renew(t *testing.T) {
	t.Helper()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		name, kind string
		der        []byte
	}{{p.ca, "CERTIFICATE", caDER}, {p.cert, "CERTIFICATE", leafDER}, {p.key, "PRIVATE KEY", keyDER}} {
		if err := os.WriteFile(f.name, pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if p.pair, err = tls.LoadX509KeyPair(p.cert, p.key); err != nil {
		t.Fatal(err)
	}
	caCert, err := x509.ParseCertificate(caDER)
	if err != nil {
		t.Fatal(err)
	}
	p.pool = x509.NewCertPool()
	p.pool.AddCert(caCert)
}

// client is a client that knows the authority.
func (p *pki) client(t *testing.T, certificate, http2 bool) *http.Client {
	t.Helper()
	config := &tls.Config{RootCAs: p.pool, MinVersion: tls.VersionTLS12}
	if certificate {
		config.Certificates = []tls.Certificate{p.pair}
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: http2}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Timeout: patience, Transport: transport}
}
