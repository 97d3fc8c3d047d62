package attack

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/falco-reporter/falco-reporter/internal/enrich/attack/facts"
)

// Bounds of a bundle. That of ATT&CK v18.1 has 45 MB, 25,000 objects of at most 35 kB, and
// 4,400 objects and relations that are kept; in STIX 2.1, one object that lists all the others
// has 3 MB. What is kept of an object is at most 4 kB, hence 200 MB of a bundle that was made
// to take as much as it can.
const (
	maxBundleBytes = 256 << 20 // uncompressed
	maxZippedBytes = 64 << 20  // compressed, which has 8 MB; empty parts of it unpack to nothing
	maxObjectBytes = 16 << 20
	maxKept        = 50_000
)

// embeddedSourceSHA256 is the digest of the file that the embedded facts were made of:
// enterprise-attack.json of v18.1 in STIX 2.0, which does not say its version.
const embeddedSourceSHA256 = "dce593f8d2b523b90a4789df3898b9cd4fee944f2d66a2a75bdfeafd615b6dc9"

// advice ends the refusal of a file that is not the right one.
const advice = "take enterprise-attack.json of https://github.com/mitre-attack/attack-stix-data, as it is or compressed with gzip"

// again ends the refusal of a file that may have been the right one.
const again = "download it again"

var (
	errBundleTooLarge = fmt.Errorf("it has more than %d MiB uncompressed, five times an ATT&CK bundle: %s", maxBundleBytes>>20, advice)
	errZippedTooLarge = fmt.Errorf("it has more than %d MiB compressed, eight times an ATT&CK bundle: %s", maxZippedBytes>>20, advice)
	errObjectTooLarge = fmt.Errorf("an object in it has more than %d MiB, which none of ATT&CK's has: %s", maxObjectBytes>>20, advice)
	errTooManyObjects = fmt.Errorf("it has more than %d techniques, tactics, mitigations and relations, ten times those of ATT&CK: %s", maxKept, advice)
	errNotBundle      = fmt.Errorf("it is JSON, but no STIX bundle: %s", advice)
	errFollowed       = fmt.Errorf("something follows the bundle: %s", again)
)

// LoadFile reads the bundle in a file with [LoadSTIX].
func LoadFile(path string) (*Data, error) {
	f, err := os.Open(path) //nolint:gosec // the operator says which file to read
	if err != nil {
		return nil, fmt.Errorf("load ATT&CK: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	d, err := LoadSTIX(f)
	if err != nil {
		return nil, fmt.Errorf("load ATT&CK from %q: %w", path, err)
	}
	return d, nil
}

// LoadSTIX reads MITRE's own bundle of Enterprise ATT&CK, in STIX 2.0 or 2.1, as it is or
// compressed with gzip, of whatever version. Names, links, relations and descriptions are then
// MITRE's. A description is the first paragraphs of MITRE's, without citations and markup, and
// at most maxTextBytes long.
//
// Version is what the bundle's x-mitre-collection states. Bundles in STIX 2.0 have none: the
// one that the embedded facts were made of is recognised, and others are of the version
// "unknown". The x_mitre_attack_spec_version of the objects is no substitute: it is the format
// of each object, and the objects of v18.1 have two different ones.
//
// What the program knows by itself of v18.1 and v19.1 still helps to read tags; see the
// package's documentation.
//
// The whole of r is read, within about a second, and held to be right: anything that is cut
// off, damaged, too large, of another domain than Enterprise, or contradicts itself is refused
// with an error that says what to do. Only a reader that blocks makes LoadSTIX block.
func LoadSTIX(r io.Reader) (*Data, error) {
	b, err := readBundle(r, maxBundleBytes, maxZippedBytes)
	if err != nil {
		return nil, err
	}
	known, err := facts.Decode(embeddedFacts)
	if err != nil {
		return nil, err
	}
	src, err := b.source(known)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, again)
	}
	d, err := newData(src)
	if err != nil {
		return nil, fmt.Errorf("the bundle contradicts itself: %w: %s", err, again)
	}
	return d, nil
}

// readBundle reads a bundle of at most so many bytes uncompressed and compressed. It reads to
// the end, so that the checksum of gzip has been checked too.
func readBundle(r io.Reader, most, mostZipped int64) (*bundle, error) {
	plain, err := decompress(r, mostZipped)
	if err != nil {
		return nil, explain(err)
	}
	sum := sha256.New()
	in := bufio.NewReader(io.TeeReader(&meter{r: plain, limit: most, tooLarge: errBundleTooLarge}, sum))
	if err := checkBeginning(in); err != nil {
		return nil, err
	}
	b := newBundle()
	if err := b.read(in); err != nil {
		return nil, explain(err)
	}
	b.isEmbeddedSource = hex.EncodeToString(sum.Sum(nil)) == embeddedSourceSHA256
	return b, nil
}

// decompress reads through gzip where r begins as gzip does, and then no more than so many
// bytes of r.
func decompress(r io.Reader, most int64) (io.Reader, error) {
	in := bufio.NewReader(r)
	magic, err := in.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return in, nil
	}
	return gzip.NewReader(&meter{r: in, limit: most, tooLarge: errZippedTooLarge})
}

// checkBeginning recognises what people have in place of a bundle after a download that went
// wrong.
func checkBeginning(in *bufio.Reader) error {
	begin, err := in.Peek(64)
	if err != nil && !errors.Is(err, io.EOF) {
		return explain(err)
	}
	begin = bytes.TrimSpace(begin)
	switch {
	case len(begin) == 0:
		return fmt.Errorf("it is empty: %s", again)
	case begin[0] == '<':
		return fmt.Errorf("it is a web page and not JSON: %s", advice)
	case bytes.HasPrefix(begin, []byte("version https://git-lfs")):
		return fmt.Errorf("it is a Git LFS pointer in place of the file: %s", advice)
	case begin[0] != '{':
		return fmt.Errorf("it is neither a JSON object nor compressed with gzip: %s", advice)
	default:
		return nil
	}
}

// explain says in plain words why reading failed.
func explain(err error) error {
	var syntax *jsontext.SyntacticError
	var deflate flate.CorruptInputError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("it is cut off: %s", again)
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.As(err, &deflate):
		return fmt.Errorf("its gzip compression is damaged (%w): %s", err, again)
	case errors.As(err, &syntax):
		return fmt.Errorf("it is not valid JSON at byte %d (%s): %s", syntax.ByteOffset, clip(syntax.Err.Error()), again)
	default:
		return err
	}
}

// clip cuts what may hold text of the file, for an error message.
func clip(s string) string {
	const most = 120
	if len(s) > most {
		s = s[:most] + "..."
	}
	return fmt.Sprintf("%+q", s)
}

// meter reads up to a limit and then fails, so that neither a large file nor a small one that
// unpacks to a large one takes memory or time without bound.
type meter struct {
	r        io.Reader
	n, limit int64
	tooLarge error
}

// Read implements [io.Reader].
func (m *meter) Read(p []byte) (int, error) {
	if m.n >= m.limit {
		return 0, m.tooLarge
	}
	n, err := m.r.Read(p[:min(int64(len(p)), m.limit-m.n)])
	m.n += int64(n)
	return n, err
}
