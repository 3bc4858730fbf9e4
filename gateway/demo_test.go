package gateway

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/access"
	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

func startDemo(t *testing.T) *running {
	t.Helper()
	return start(t, func(c *Config) { c.Demo = true })
}

// ask makes a request with headers, given as name and value in turn.
func ask(t *testing.T, method, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	// Not the default transport: it would unpack what comes compressed.
	response, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// TestDemoFiles follows the page's references: all are there, none may be inline,
// and what keeps its name is asked for anew.
func TestDemoFiles(t *testing.T) {
	g := startDemo(t)
	root := "http://" + g.address
	page, html := ask(t, "GET", root+"/")
	if page.StatusCode != 200 || page.Header.Get("Cache-Control") != "no-cache" || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("the page answers %d %v", page.StatusCode, page.Header)
	}
	policy := page.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the content security policy is %q", policy)
	}
	if regexp.MustCompile(`<script>|<style|\sstyle=|\son\w+=`).MatchString(html) {
		t.Error("the page has inline code or style, which its policy forbids")
	}
	references := regexp.MustCompile(`(?:src|href)="(/demo/[^"]+)"`).FindAllStringSubmatch(html, -1)
	if len(references) < 2 {
		t.Errorf("the page refers to %v", references)
	}
	for _, reference := range references {
		file, body := ask(t, "GET", root+reference[1])
		if file.StatusCode != 200 || body == "" || !strings.Contains(file.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s answers %d %v", reference[1], file.StatusCode, file.Header)
		}
	}
	if worker, _ := ask(t, "GET", root+"/worker.js"); worker.StatusCode != 200 || worker.Header.Get("Cache-Control") != "no-cache" ||
		!strings.HasPrefix(worker.Header.Get("Content-Type"), "text/javascript") {
		t.Errorf("the service worker answers %d %v", worker.StatusCode, worker.Header)
	}
	if hidden, _ := ask(t, "GET", root+"/demo/index.html"); hidden.StatusCode != 404 {
		t.Errorf("the page has a second address: %d", hidden.StatusCode)
	}
	// The page says what the gateway is elsewhere.
	if _, status := ask(t, "GET", root+"/status"); !strings.Contains(status, `href="/"`) || !strings.Contains(status, "none: every collection") {
		t.Error("the status page does not lead to the demonstration page, or names a schema")
	}
}

// TestDemoEncodings shows that each form is what it says, has a tag of its own,
// and is not sent again to who has it.
func TestDemoEncodings(t *testing.T) {
	g := startDemo(t)
	at := "http://" + g.address + "/"
	_, plain := ask(t, "GET", at)
	tags := map[string]string{}
	for _, c := range []struct{ accept, want string }{
		{"", ""},
		{"gzip", "gzip"},
		{"gzip, deflate, br, zstd", "br"},
		{"br;q=0, gzip;q=0.5", "gzip"},
		{"br;q=0.0", ""},
		{"identity", ""},
	} {
		response, body := ask(t, "GET", at, "Accept-Encoding", c.accept)
		if got := response.Header.Get("Content-Encoding"); got != c.want {
			t.Errorf("Accept-Encoding %q gets %q, want %q", c.accept, got, c.want)
			continue
		}
		if response.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: caches are not told that it matters", c.accept)
		}
		if c.want == "gzip" {
			reader, err := gzip.NewReader(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if unpacked, err := io.ReadAll(reader); err != nil || string(unpacked) != plain {
				t.Errorf("the gzip form is another page: %v", err)
			}
		}
		tag := response.Header.Get("ETag")
		if other, known := tags[tag]; known && other != c.want {
			t.Errorf("%q and %q have the tag %s", other, c.want, tag)
		}
		tags[tag] = c.want
		again, body := ask(t, "GET", at, "Accept-Encoding", c.accept, "If-None-Match", tag)
		if again.StatusCode != http.StatusNotModified || body != "" {
			t.Errorf("Accept-Encoding %q with its tag is answered %d", c.accept, again.StatusCode)
		}
	}
	if head, body := ask(t, "HEAD", at); head.StatusCode != 200 || body != "" {
		t.Errorf("HEAD answers %d", head.StatusCode)
	}
}

// TestDemoToken shows that a token makes its holder somebody, and that other
// sites are not given one.
func TestDemoToken(t *testing.T) {
	g := startDemo(t)
	at := "http://" + g.address + "/demo/token?user="
	response, body := ask(t, "POST", at+url.QueryEscape("Ada Lovelace"), "Sec-Fetch-Site", "same-origin")
	var answer struct{ Token string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || response.StatusCode != 200 || response.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("answered %d %q: %v", response.StatusCode, body, err)
	}
	grant, err := g.cfg.Verifier.Verify(t.Context(), answer.Token)
	if err != nil || grant.User() != "Ada Lovelace" || grant.Check("any", true) != nil {
		t.Errorf("the token grants %+v: %v", grant, err)
	}
	for _, c := range []struct {
		method, user, from string
		status             int
	}{
		{"POST", "", "same-origin", 400},
		{"POST", strings.Repeat("x", 1000), "same-origin", 400},
		{"POST", "ada", "cross-site", 403},
		{"POST", "ada", "same-site", 403},
		{"GET", "ada", "same-origin", 405},
	} {
		if response, body := ask(t, c.method, at+c.user, "Sec-Fetch-Site", c.from); response.StatusCode != c.status {
			t.Errorf("%s for %.10q from %s answers %d %q, want %d", c.method, c.user, c.from, response.StatusCode, body, c.status)
		}
	}
}

// TestDemoLog reads history: all of a space, what came after a commit, and that
// of one record.
func TestDemoLog(t *testing.T) {
	g := startDemo(t)
	p := connect(t, g, "")
	p.subscribe(1, "board")
	p.verdictAndCommit(1, p.push(1, 0, create("notes", "a", "text", "one")))
	p.verdictAndCommit(1, p.push(1, 1, create("notes", "b", "text", "two")))
	p.verdict(1, p.push(1, 2, create("notes", "a", "text", "twice")))

	type commits struct{ Commits []logEntry }
	read := func(query string, headers ...string) (list commits) {
		t.Helper()
		response, body := ask(t, "GET", "http://"+g.address+"/demo/log?"+query, headers...)
		if err := json.Unmarshal([]byte(body), &list); err != nil || response.StatusCode != 200 {
			t.Fatalf("%s answers %d %q", query, response.StatusCode, body)
		}
		return list
	}
	all := read("space=board").Commits
	if len(all) != 3 || all[0].Seq != 1 || all[0].Mutations[0].User != access.DevelopmentUser || all[0].Bytes == 0 {
		t.Fatalf("the log is %+v", all)
	}
	if m := all[2].Mutations[0]; m.Outcome != "rejected" || m.Code != "exists" || m.Message == "" || len(m.Changes) != 0 {
		t.Errorf("the rejection is told as %+v", m)
	}
	if change := all[1].Mutations[0].Changes[0]; change.Kind != "create" || change.Fields[0].Value != "two" {
		t.Errorf("the creation is told as %+v", change)
	}
	if after := read("space=board&after=1").Commits; len(after) != 2 || after[0].Seq != 2 {
		t.Errorf("after commit 1 there is %+v", after)
	}
	if one := read("space=board&collection=notes&id=b").Commits; len(one) != 1 || one[0].Seq != 2 {
		t.Errorf("the history of one record is %+v", one)
	}
	if none := read("space=other").Commits; none == nil || len(none) != 0 {
		t.Errorf("a space that nobody has written to has the log %+v", none)
	}

	secret := must(access.Mint(testSecret, access.MintOptions{User: "eve", Spaces: []access.SpaceGrant{{Pattern: "mine"}}}))
	for _, c := range []struct {
		query, token string
		status       int
	}{
		{"space=board", "Bearer nonsense", 401},
		{"space=board", "Bearer " + secret, 403},
		{"space=board&after=x", "", 400},
		{"space=", "", 400},
	} {
		if response, body := ask(t, "GET", "http://"+g.address+"/demo/log?"+c.query, "Authorization", c.token); response.StatusCode != c.status {
			t.Errorf("%s with %.15q answers %d %q, want %d", c.query, c.token, response.StatusCode, body, c.status)
		}
	}
}

// TestDemoLogIsBounded shows that the newest commits are told of many.
func TestDemoLogIsBounded(t *testing.T) {
	g := startDemo(t)
	p := connect(t, g, "")
	p.subscribe(1, "long")
	const commits = 2*demoLogCommits + 10
	for n := range commits {
		p.verdict(1, p.push(1, uint64(n), create("notes", fmt.Sprint(n), "n", n)))
	}
	entries, err := readLog(t.Context(), g.cfg.Store, space.Key{Tenant: access.DefaultTenant, Space: "long"}, 0, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != demoLogCommits || entries[0].Seq != commits-demoLogCommits+1 || entries[demoLogCommits-1].Seq != commits {
		t.Errorf("%d commits, from %d to %d", len(entries), entries[0].Seq, entries[len(entries)-1].Seq)
	}
}

// TestDemoRules shows that the page's collections have rules, and nobody else's.
func TestDemoRules(t *testing.T) {
	g := startDemo(t)
	p := connect(t, g, "")
	p.subscribe(1, "board")
	op := func(kind protocol.OpKind, collection string, fields ...any) protocol.Op {
		op := protocol.Op{Kind: kind, Collection: collection, ID: "c"}
		for i := 0; i+1 < len(fields); i += 2 {
			op.Fields = append(op.Fields, protocol.FieldValue{Field: fields[i].(string), Value: protocol.MustValue(fields[i+1])})
		}
		return op
	}
	for n, c := range []struct {
		op     protocol.Op
		reject protocol.RejectCode
	}{
		{op(protocol.OpCreate, "demo-cards", "column", "0", "title", ""), protocol.RejectSchema},
		{op(protocol.OpCreate, "demo-cards", "column", "0", "title", "Buy milk", "votes", 1), ""},
		{op(protocol.OpSet, "demo-cards", "votes", 7), protocol.RejectPolicy},
		{op(protocol.OpCreate, "cards", "anything", true, "title", "", "votes", 1), ""},
		{op(protocol.OpSet, "cards", "votes", 7), ""},
	} {
		verdict := p.verdict(1, p.push(1, uint64(n), c.op))
		code := verdict.Code
		if code == "" && len(verdict.Ops) > 0 {
			code = verdict.Ops[0].Code
		}
		if code != c.reject {
			t.Errorf("%v %s: %q, want %q (%+v)", c.op.Kind, c.op.Collection, code, c.reject, verdict)
		}
	}
}

// TestDemoRefused shows where the page is not served.
func TestDemoRefused(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"with a schema":         func(c *Config) { c.Schema = must(merge.ParseSchema(map[string][]byte{"a.json": []byte(`{}`)})) },
		"to holders of a token": func(c *Config) { c.Verifier = must(access.New(access.Config{Secret: testSecret})) },
	} {
		cfg := Config{Store: start(t, nil).cfg.Store, Verifier: must(access.NewDevelopment(testSecret, nil)), Demo: true}
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "development mode, without a schema") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
