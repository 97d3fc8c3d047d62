package incident

import (
	"path"
	"strings"

	"github.com/falco-reporter/falco-reporter/internal/program"
)

// maxArguments bounds the words of a command line that are looked at.
const maxArguments = 1024

// download is what a tool was started for that saves files from the network.
type download struct {
	// files are the names that it saves under, absolute where its folder is known; none if they
	// are not known.
	files []string
	// told is whether the command line says the names, rather than leaving them to the addresses.
	told bool
	// placed is whether the working directory went into the names.
	placed bool
}

// downloads reports whether the event started a tool that saves a file from the network, and
// what it saves.
func (d deed) downloads() (download, bool) {
	p := d.view.GetProcess()
	words := strings.Fields(p.GetCommandLine())
	if !d.starts() || !program.IsDownloader(p.GetName()) || len(words) == 0 {
		return download{}, false
	}
	words = words[:min(len(words), maxArguments)]
	x, saves := download{}, true
	switch p.GetName() {
	case "curl":
		x, saves = curlSaves(words[1:])
	case "wget":
		x, saves = wgetSaves(words[1:])
	default:
	}
	for i, name := range x.files {
		if !strings.HasPrefix(name, "/") && strings.HasPrefix(p.GetWorkingDirectory(), "/") {
			name, x.placed = path.Join(p.GetWorkingDirectory(), name), true
		}
		x.files[i] = path.Clean(name)
	}
	return x, saves
}

// savedAs is the name of the download that an executed file has; empty if it has none. Of names
// whose folder is not known the last part is compared.
func (x download) savedAs(file string) string {
	for _, name := range x.files {
		whole := strings.HasPrefix(name, "/") && strings.HasPrefix(file, "/")
		if name == file || !whole && path.Base(name) == path.Base(file) {
			return name
		}
	}
	return ""
}

// curlSaves reads curl's arguments. The first -o or -O is of the first address, the second of
// the second; what has neither is printed.
func curlSaves(words []string) (x download, saves bool) {
	var outputs, addresses []string // an output "" is named by its address
	folder, all, byServer := "", false, false
	readOptions(words, "AbcCdDeEFhHKmoPQrtTuUwxXyYz", curlValued, func(option, value string) {
		switch option {
		case "", "url":
			addresses = append(addresses, value)
		case "o", "output":
			outputs = append(outputs, value)
		case "O", "remote-name":
			outputs = append(outputs, "")
		case "remote-name-all":
			all = true
		case "J", "remote-header-name":
			byServer = true
		case "output-dir":
			folder = value
		}
	})
	for all && len(outputs) < len(addresses) {
		outputs = append(outputs, "")
	}
	for i, name := range outputs {
		switch {
		case isStream(name):
			continue
		case name != "":
			x.told = true
		case i < len(addresses) && !byServer:
			address, _, _ := strings.Cut(addresses[i], "?")
			name = nameOf(address)
		}
		saves = true
		if name != "" {
			x.files = append(x.files, path.Join(folder, name))
		}
	}
	return x, saves
}

// wgetSaves reads wget's arguments. It writes all it fetches to the last -O, wherever that is,
// and otherwise every address to a file of its name.
func wgetSaves(words []string) (x download, saves bool) {
	var addresses []string
	document, folder, unknown := "", "", false
	saves = true
	readOptions(words, "aABDeiIlnoOPQRtTUwX", wgetValued, func(option, value string) {
		switch option {
		case "":
			addresses = append(addresses, value)
		case "O", "output-document":
			document = value
		case "P", "directory-prefix":
			folder = value
		case "spider", "delete-after", "h", "help", "V", "version":
			saves = false
		case "r", "recursive", "m", "mirror", "p", "page-requisites", "x", "force-directories", "E", "adjust-extension",
			"i", "input-file", "e", "execute", "content-disposition", "trust-server-names":
			unknown = true
		}
	})
	switch {
	case !saves || isStream(document):
		return download{}, false
	case document != "":
		return download{files: []string{document}, told: true}, true
	case unknown:
		return download{}, true
	}
	for _, address := range addresses {
		address, query, asks := strings.Cut(address, "?")
		name := nameOf(address)
		if asks {
			name += "?" + query
		}
		// What is escaped is not saved as it is written.
		if name != "" && !strings.HasPrefix(name, "?") && !strings.ContainsAny(name, "%/") {
			x.files = append(x.files, path.Join(folder, name))
		}
	}
	return x, true
}

// nameOf is the last part of an address without its query: the name that its file is saved
// under. It is empty where there is none, or where the address stands for several.
func nameOf(address string) string {
	address, _, _ = strings.Cut(address, "#")
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	}
	i := strings.LastIndexByte(address, '/')
	if i < 0 || strings.ContainsAny(address, "{}[]") {
		return ""
	}
	if name := address[i+1:]; name != "." && name != ".." {
		return name
	}
	return ""
}

// isStream reports whether what is written to a file of this name is not kept in one.
func isStream(name string) bool {
	return name == "-" || name == "/dev/null" || name == "/dev/stdout" || name == "/dev/stderr" || strings.HasPrefix(name, "/dev/fd/")
}

// readOptions reads arguments as getopt_long does: bundled (-so FILE), attached (-oFILE,
// --output=FILE) and apart. An operand is an option without a name. What stood between quotes is
// not known any more, so that a value with a space ends there. short are the letters of the
// options that have a value, long the names of such, each between spaces.
func readOptions(words []string, short, long string, see func(option, value string)) {
	for i := 0; i < len(words); i++ {
		word := words[i]
		next := func() string {
			if i++; i < len(words) {
				return strings.Trim(words[i], `"'`)
			}
			return ""
		}
		switch {
		case word == "--":
			for _, operand := range words[i+1:] {
				see("", strings.Trim(operand, `"'`))
			}
			return
		case strings.HasPrefix(word, "--"):
			name, value, attached := strings.Cut(word[2:], "=")
			if !attached && strings.Contains(long, " "+name+" ") {
				value = next()
			}
			see(name, strings.Trim(value, `"'`))
		case len(word) > 1 && word[0] == '-':
			for at := 1; at < len(word); at++ {
				if strings.IndexByte(short, word[at]) < 0 {
					see(word[at:at+1], "")
					continue
				}
				value := strings.Trim(word[at+1:], `"'`)
				if value == "" {
					value = next()
				}
				see(word[at:at+1], value)
				break
			}
		default:
			see("", strings.Trim(word, `"'`))
		}
	}
}

// curlValued are the long options of curl that have a value, by curl --help all (8.16), each between spaces.
const curlValued = "" +
	" abstract-unix-socket alt-svc aws-sigv4 cacert capath cert cert-type ciphers config connect-timeout connect-to " +
	"continue-at cookie cookie-jar create-file-mode crlfile curves data data-ascii data-binary data-raw data-urlencode " +
	"delegation dns-interface dns-ipv4-addr dns-ipv6-addr dns-servers doh-url dump-header ech egd-file engine " +
	"etag-compare etag-save expect100-timeout form form-string ftp-account ftp-alternative-to-user ftp-method ftp-port " +
	"ftp-ssl-ccc-mode happy-eyeballs-timeout-ms haproxy-clientip header help hostpubmd5 hostpubsha256 hsts interface " +
	"ip-tos ipfs-gateway json keepalive-cnt keepalive-time key key-type knownhosts krb libcurl limit-rate local-port " +
	"login-options mail-auth mail-from mail-rcpt max-filesize max-redirs max-time netrc-file noproxy oauth2-bearer output " +
	"output-dir parallel-max parallel-max-host pass pinnedpubkey preproxy proto proto-default proto-redir proxy " +
	"proxy-cacert proxy-capath proxy-cert proxy-cert-type proxy-ciphers proxy-crlfile proxy-header proxy-key " +
	"proxy-key-type proxy-pass proxy-pinnedpubkey proxy-service-name proxy-tls13-ciphers proxy-tlsauthtype " +
	"proxy-tlspassword proxy-tlsuser proxy-user proxy1.0 pubkey quote random-file range rate referer request " +
	"request-target resolve retry retry-delay retry-max-time sasl-authzid service-name sigalgs socks4 socks4a socks5 " +
	"socks5-gssapi-service socks5-hostname speed-limit speed-time stderr telnet-option tftp-blksize time-cond tls-max " +
	"tls13-ciphers tlsauthtype tlspassword tlsuser trace trace-ascii trace-config unix-socket upload-file upload-flags " +
	"url url-query user user-agent variable vlan-priority write-out "

// wgetValued are the long options of wget that have a value, by wget --help (1.21), each between spaces.
const wgetValued = "" +
	" accept accept-regex append-output backups base bind-address body-data body-file ca-certificate ca-directory " +
	"certificate certificate-type ciphers compression config connect-timeout crl-file cut-dirs default-page " +
	"directory-prefix dns-timeout domains exclude-directories exclude-domains execute follow-tags ftp-password ftp-user " +
	"header http-password http-user ignore-tags include-directories input-file level limit-rate load-cookies " +
	"local-encoding method output-document output-file password pinnedpubkey post-data post-file prefer-family " +
	"private-key private-key-type progress proxy-password proxy-user quota read-timeout referer regex-type reject " +
	"reject-regex rejected-log remote-encoding report-speed restrict-file-names retry-on-http-error save-cookies " +
	"secure-protocol start-pos timeout tries use-askpass user user-agent wait waitretry warc-dedup warc-file warc-header " +
	"warc-max-size warc-tempdir "
