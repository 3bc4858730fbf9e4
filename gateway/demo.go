package gateway

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// demoFiles is the collaborative page as web-demo builds it: index.html and
// worker.js, which keep their names; assets, named by a hash of what is in them;
// beside each its compressed forms; and the rules for the page's collections.
//
//go:embed demo
var demoFiles embed.FS

// demoPolicy lets the page load and talk to what this gateway serves, and
// nothing else. Neither inline code nor eval is allowed.
const demoPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// demo serves the collaborative page.
type demo struct {
	// Static after newDemo.
	files  map[string]*demoFile // by path: "/", "/worker.js", "/demo/…"
	schema *merge.Schema
	cfg    *Config
}

// demoFile is a file in the forms in which it can be sent.
type demoFile struct {
	contentType string
	cache       string
	tag         string
	plain       []byte
	encoded     map[string][]byte // by Content-Encoding: "br", "gzip"
}

var demoTypes = map[string]string{
	".html":        "text/html; charset=utf-8",
	".js":          "text/javascript; charset=utf-8",
	".css":         "text/css; charset=utf-8",
	".svg":         "image/svg+xml",
	".webmanifest": "application/manifest+json",
}

// newDemo reads the page's files, or says what is wrong with them.
func newDemo(cfg *Config) (*demo, error) {
	d := &demo{files: map[string]*demoFile{}, cfg: cfg}
	rules := map[string][]byte{}
	err := fs.WalkDir(demoFiles, "demo", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := demoFiles.ReadFile(name)
		if err != nil {
			return err
		}
		extension := path.Ext(name)
		switch {
		case path.Dir(name) == "demo/schema":
			rules[path.Base(name)] = data
		case demoTypes[extension] != "":
			d.add(name, demoTypes[extension], data)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if d.files["/"] == nil {
		return nil, fmt.Errorf("the page was not built: no index.html among the files of the demo")
	}
	d.schema, err = merge.ParseOpenSchema(rules)
	return d, err
}

// add takes a file in. Names with a hash never mean anything else; the others
// are asked for anew each time, and answered with 304 if they are as before.
func (d *demo) add(name, contentType string, data []byte) {
	hash := sha256.Sum256(data)
	f := &demoFile{
		contentType: contentType,
		cache:       "public, max-age=31536000, immutable",
		tag:         base64.RawURLEncoding.EncodeToString(hash[:12]),
		plain:       data,
		encoded:     map[string][]byte{},
	}
	for encoding, suffix := range map[string]string{"br": ".br", "gzip": ".gz"} {
		if compressed, err := demoFiles.ReadFile(name + suffix); err == nil {
			f.encoded[encoding] = compressed
		}
	}
	at := "/" + name
	switch base := path.Base(name); base {
	case "index.html":
		at, f.cache = "/", "no-cache"
	case "worker.js":
		at, f.cache = "/"+base, "no-cache" // at the root: it may only serve what is below it
	}
	d.files[at] = f
}

// register lets mux serve the page.
func (d *demo) register(mux *http.ServeMux) {
	for at, file := range d.files {
		pattern := "GET " + at
		if at == "/" {
			pattern += "{$}"
		}
		mux.Handle(pattern, file)
	}
	mux.HandleFunc("POST /demo/token", d.serveToken)
	mux.HandleFunc("GET /demo/log", d.serveLog)
}

// ServeHTTP sends the file in the smallest form that the peer takes.
func (f *demoFile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", f.contentType)
	header.Set("Cache-Control", f.cache)
	header.Set("Content-Security-Policy", demoPolicy)
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Vary", "Accept-Encoding")
	body, tag := f.plain, f.tag
	for _, encoding := range []string{"br", "gzip"} {
		if data := f.encoded[encoding]; data != nil && accepts(r, encoding) {
			header.Set("Content-Encoding", encoding)
			body, tag = data, tag+"-"+encoding
			break
		}
	}
	header.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// accepts says whether a request names an encoding and does not forbid it.
func accepts(r *http.Request, encoding string) bool {
	for _, line := range r.Header.Values("Accept-Encoding") {
		for offer := range strings.SplitSeq(line, ",") {
			name, weight, _ := strings.Cut(strings.ReplaceAll(offer, " ", ""), ";")
			if strings.EqualFold(name, encoding) {
				return strings.Trim(strings.TrimPrefix(weight, "q="), "0.") != "" || weight == ""
			}
		}
	}
	return false
}

// serveToken gives a token to whoever the page says its user is: without one
// anybody may do as much here, but only as one and the same user.
func (d *demo) serveToken(w http.ResponseWriter, r *http.Request) {
	// Browsers say where a request comes from; another site could not read the
	// answer, and has no business asking.
	if from := r.Header.Get("Sec-Fetch-Site"); from != "" && from != "same-origin" {
		http.Error(w, "tokens are given to this gateway's own page", http.StatusForbidden)
		return
	}
	token, err := d.cfg.Verifier.DevelopmentToken(r.FormValue("user"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	sendJSON(w, map[string]string{"token": token})
}

// sendJSON answers with data that nobody keeps.
func sendJSON(w http.ResponseWriter, data any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(data) // the peer has gone: nobody is left to be told
}

// spaceOf returns the space that a request asks about, if its token (in the
// header Authorization) allows reading it; else it has answered.
func (d *demo) spaceOf(w http.ResponseWriter, r *http.Request) (key space.Key, ok bool) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	grant, err := d.cfg.Verifier.Verify(r.Context(), token)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return key, false
	}
	key = space.Key{Tenant: grant.Tenant(), Space: r.FormValue("space")}
	if err := protocol.CheckSpaceName(key.Space); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return key, false
	}
	if err := grant.Check(key.Space, false); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return key, false
	}
	return key, true
}
