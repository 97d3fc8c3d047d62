package render

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// browser is a real one, with a server for pages.
type browser struct {
	ctx context.Context
	url string

	mu     sync.Mutex
	page   string
	bare   bool     // pages have no policy; a browser then asks for an icon, whatever they say
	events []string // what no page may cause
}

const favicon = "/favicon.ico"

// newBrowser starts a browser; the test is skipped where there is none.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	exe, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium is installed; Debian's package chromium has it")
	}
	b := &browser{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			b.note("fetch of "+r.URL.Path, r.URL.Path == favicon)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(b.page))
	}))
	t.Cleanup(server.Close)
	b.url = server.URL + "/"
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(exe), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true))...)
	t.Cleanup(cancel)
	b.ctx, cancel = chromedp.NewContext(ctx)
	// The browser must have ended before its directory is removed.
	t.Cleanup(func() {
		_ = chromedp.Cancel(b.ctx)
		cancel()
	})
	if err := chromedp.Listen(b.ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	for _, enable := range []func() error{
		func() error { _, err := chromedp.Call(b.ctx, network.Enable, network.EnableParams{}); return err },
		func() error { _, err := chromedp.Call(b.ctx, runtime.Enable, cdp.Empty{}); return err },
		func() error { _, err := chromedp.Call(b.ctx, log.Enable, cdp.Empty{}); return err },
	} {
		if err := enable(); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// listen notes what no page may cause: requests but for itself, messages, dialogs, exceptions.
func (b *browser) listen(event any) {
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; u != b.url {
			b.note("request of "+u, strings.HasSuffix(u, favicon))
		}
	case *runtime.EventConsoleAPICalled:
		b.note("console "+string(e.Type), false)
	case *runtime.EventExceptionThrown:
		b.note("exception "+e.ExceptionDetails.Text, false)
	case *log.EventEntryAdded:
		b.note("message "+e.Entry.Text, false)
	}
}

func (b *browser) note(what string, icon bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !icon || !b.bare {
		b.events = append(b.events, what)
	}
}

// open shows a page that wide, in a colour scheme.
func (b *browser) open(t *testing.T, page string, width int64, scheme string) {
	t.Helper()
	b.mu.Lock()
	b.page = page
	b.mu.Unlock()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err == nil {
		err = chromedp.Do(b.ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate(b.url))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// evaluate runs a script that is no part of the page.
func evaluate[T any](t *testing.T, b *browser, script string) T {
	t.Helper()
	result, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script))
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func (b *browser) checkQuiet(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.events) > 0 {
		t.Errorf("the page caused: %q", b.events)
	}
	b.events = nil
}

// contrast finds, for every element with text of its own, how much its colour differs from
// that of the ground it stands on, as WCAG counts it; it returns those below 4.5 to 1.
const contrast = `(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = c => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); return canvas.getImageData(0, 0, 1, 1).data; };
  const light = c => { const [r, g, b] = [...c].slice(0, 3).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3]) return c; } return [255, 255, 255, 255]; };
  const bad = [];
  for (const e of document.body.querySelectorAll('*')) {
    if (![...e.childNodes].some(n => n.nodeType == 3 && n.data.trim())) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.push(e.tagName + ' ' + e.className + ' ' + ratio.toFixed(2));
  }
  return [...new Set(bad)];
})()`

// first are the parts of the first screen that cannot be seen without scrolling.
const hiddenOnFirstScreen = `['article > header', 'h1', '.urgency', '.lead', '.why', '.screen div:first-child dd'].filter(s => {
  const e = document.querySelector(s), r = e && e.getBoundingClientRect();
  return !e || !e.checkVisibility() || r.top < 0 || r.height == 0 || r.top > innerHeight || r.right > innerWidth;
})`

// wide are elements that reach out of the page, unfolded.
const wide = `(() => {
  document.querySelectorAll('details').forEach(d => d.open = true);
  const out = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 0.5 && getComputedStyle(e.closest('thead') || e).position != 'absolute');
  return out.map(e => e.tagName + ' ' + e.className).concat(document.documentElement.scrollWidth > innerWidth ? ['page'] : []);
})()`

func TestBrowser(t *testing.T) {
	b := newBrowser(t)
	all := reports(t)
	long := everything()
	poison(long.ProtoReflect(), strings.Repeat("x", 300))
	all["long"] = long
	grounds := map[string]string{}
	for name, r := range all {
		page := render(t, HTML, r)
		for _, width := range []int64{400, 1200} {
			for _, scheme := range []string{"light", "dark"} {
				if name != "incident" && (width == 400) != (scheme == "dark") {
					continue // one report in all four ways is enough; each load takes its time
				}
				b.open(t, page, width, scheme)
				bad, hidden := evaluate[[]string](t, b, contrast), evaluate[[]string](t, b, hiddenOnFirstScreen)
				out := evaluate[[]string](t, b, wide)
				if r.GetUrgency().GetWhy() == "" || name == "long" {
					hidden = nil // it has less, or more, than one screen
				}
				if len(bad)+len(hidden)+len(out) > 0 {
					t.Errorf("%s at %d pixels, %s: too little contrast: %q; not on the first screen: %q; too wide: %q", name, width, scheme, bad, hidden, out)
				}
				grounds[scheme] = evaluate[string](t, b, `getComputedStyle(document.body).backgroundColor`)
			}
		}
	}
	if grounds["light"] == grounds["dark"] {
		t.Errorf("light and dark are both %s", grounds["dark"])
	}
	b.checkQuiet(t)
}

// policy is the page's protection against mistakes of ours.
var policy = regexp.MustCompile(`<meta http-equiv="Content-Security-Policy"[^>]*>`)

// TestBrowserRunsNothing shows hostile reports, without the policy that would stop them: what
// an attacker wrote makes no element, no attribute and no link, and runs nothing.
func TestBrowserRunsNothing(t *testing.T) {
	b := newBrowser(t)
	b.bare = true
	const dom = `[...document.querySelectorAll('*')].filter(e => e.tagName != 'CODE').map(e => e.tagName + [...e.attributes].map(a => ' ' + a.name + '=' + a.value).join(''))`
	for _, s := range []string{
		`<script>window.ran=1</script>`, `<img src=x onerror=window.ran=1>`, `"><svg onload=window.ran=1>`, `' onmouseover='window.ran=1`,
		`</title></style></code></pre><script>window.ran=1</script>`, `--><iframe srcdoc="<script>top.ran=1</script>">`, `javascript:window.ran=1`,
		`<a href="javascript:window.ran=1">x</a>`, `&lt;script&gt;window.ran=1&lt;/script&gt;`, `]]><x onclick=window.ran=1>`, `<base href=//evil.example><link rel=stylesheet href=//evil.example/x>`,
	} {
		hostile, harmless := poisoned(everything(), s)
		b.open(t, policy.ReplaceAllString(render(t, HTML, harmless), ""), 1200, "light")
		want := evaluate[[]string](t, b, dom)
		b.open(t, policy.ReplaceAllString(render(t, HTML, hostile), ""), 1200, "light")
		if d := cmp.Diff(want, evaluate[[]string](t, b, dom)); d != "" {
			t.Errorf("%s changes the page:\n%s", s, d)
		}
		if evaluate[bool](t, b, `document.querySelectorAll('a').forEach(a => a.protocol == 'javascript:' && a.click()); !!window.ran`) {
			t.Errorf("%s ran", s)
		}
	}
	b.checkQuiet(t)
	// The policy would have stopped them.
	b.open(t, strings.Replace(render(t, HTML, &pb.Report{}), "<main>", "<main><script>window.ran=1</script><img src=x>", 1), 400, "light")
	if evaluate[bool](t, b, `!!window.ran`) {
		t.Error("the policy lets scripts run")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		if e == "fetch of /x" {
			t.Errorf("the policy lets pages fetch: %s", e)
		}
	}
	if len(b.events) == 0 {
		t.Error("the browser does not say that it stopped anything: is it listened to?")
	}
}
