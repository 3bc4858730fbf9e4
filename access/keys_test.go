package access

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"github.com/tidegate/tidegate/protocol"
)

// provider is an identity provider on loopback: it publishes a key set, counts
// how often it is asked, and can be down.
type provider struct {
	*httptest.Server
	asked atomic.Int64
	down  atomic.Bool
	hold  atomic.Pointer[chan struct{}] // if set, answers wait until it is closed
	mu    sync.Mutex
	text  []byte
}

func newProvider(t testing.TB) *provider {
	p := new(provider)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		if hold := p.hold.Load(); hold != nil {
			<-*hold
		}
		if p.down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		w.Write(p.text)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) publish(text []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = text
}

// published is a key as a provider would put it into its set.
type published struct {
	key any // private, public or a secret
	id  string
	alg jwkset.ALG
	use jwkset.USE
}

func keySetText(t testing.TB, keys ...published) []byte {
	t.Helper()
	var set jwkset.JWKSMarshal
	for _, k := range keys {
		public := k.key
		if private, ok := public.(crypto.Signer); ok {
			public = private.Public()
		}
		jwk, err := jwkset.NewJWKFromKey(public, jwkset.JWKOptions{
			Marshal:  jwkset.JWKMarshalOptions{Private: true},
			Metadata: jwkset.JWKMetadataOptions{KID: k.id, ALG: k.alg, USE: k.use},
		})
		if err != nil {
			t.Fatal(err)
		}
		set.Keys = append(set.Keys, jwk.Marshal())
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var keysOfEachKind = sync.OnceValue(func() (k struct {
	rsa, weak    *rsa.PrivateKey
	p256, p384   *ecdsa.PrivateKey
	p521         *ecdsa.PrivateKey
	edwards      ed25519.PrivateKey
	unpublished  *ecdsa.PrivateKey
	alsoP256     *ecdsa.PrivateKey
	sharedSecret []byte
}) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var err error
	k.rsa, err = rsa.GenerateKey(rand.Reader, minRSABits)
	must(err)
	k.weak, err = rsa.GenerateKey(rand.Reader, 1024)
	must(err)
	for curve, to := range map[elliptic.Curve][]**ecdsa.PrivateKey{
		elliptic.P256(): {&k.p256, &k.unpublished, &k.alsoP256},
		elliptic.P384(): {&k.p384},
		elliptic.P521(): {&k.p521},
	} {
		for _, to := range to {
			*to, err = ecdsa.GenerateKey(curve, rand.Reader)
			must(err)
		}
	}
	_, k.edwards, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	k.sharedSecret = key
	return k
})

// tick is a clock that a test moves.
type tick struct{ now atomic.Int64 }

func newTick() *tick {
	c := new(tick)
	c.now.Store(noon.UnixNano())
	return c
}

func (c *tick) Now() time.Time          { return time.Unix(0, c.now.Load()) }
func (c *tick) advance(d time.Duration) { c.now.Add(int64(d)) }

func TestKeySetAlgorithms(t *testing.T) {
	k := keysOfEachKind()
	p := newProvider(t)
	p.publish(keySetText(t,
		published{key: k.rsa, id: "rsa"},
		published{key: k.rsa, id: "rs256", alg: jwkset.AlgRS256, use: jwkset.UseSig},
		published{key: k.rsa, id: "encryption", use: jwkset.UseEnc},
		published{key: k.p256, id: "p256"},
		published{key: k.p384, id: "p384"},
		published{key: k.p521, id: "p521"},
		published{key: k.edwards, id: "ed"},
		published{key: k.weak, id: "weak"},
		published{key: k.sharedSecret, id: "secret"},
	))
	v := newVerifier(t, Config{KeySet: p.URL, Audience: "tidegate"})
	if err := v.Ready(); err != nil {
		t.Fatal(err)
	}
	kid := func(id string) []any { return []any{"kid", id} }
	public := keySetText(t, published{key: k.rsa, id: "rsa"})
	for _, c := range []struct {
		name   string
		method jwt.SigningMethod
		key    any
		header []any
		says   string // empty if the token is good
	}{
		{"RS256", jwt.SigningMethodRS256, k.rsa, kid("rsa"), ""},
		{"RS384", jwt.SigningMethodRS384, k.rsa, kid("rsa"), ""},
		{"RS512", jwt.SigningMethodRS512, k.rsa, kid("rsa"), ""},
		{"PS256", jwt.SigningMethodPS256, k.rsa, kid("rsa"), ""},
		{"PS384", jwt.SigningMethodPS384, k.rsa, kid("rsa"), ""},
		{"PS512", jwt.SigningMethodPS512, k.rsa, kid("rsa"), ""},
		{"ES256", jwt.SigningMethodES256, k.p256, kid("p256"), ""},
		{"ES384", jwt.SigningMethodES384, k.p384, kid("p384"), ""},
		{"EdDSA", jwt.SigningMethodEdDSA, k.edwards, kid("ed"), ""},
		{"the key's own algorithm", jwt.SigningMethodRS256, k.rsa, kid("rs256"), ""},
		{"another than the key's own", jwt.SigningMethodPS256, k.rsa, kid("rs256"), `key "rs256" is not for algorithm "PS256"`},

		{"none", jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, kid("rsa"), `algorithm "none"`},
		{"HS256 with a published secret", jwt.SigningMethodHS256, k.sharedSecret, kid("secret"), `algorithm "HS256"`},
		{"HS256 with the public key as secret", jwt.SigningMethodHS256, public, kid("rsa"), `algorithm "HS256"`},
		{"ES512", jwt.SigningMethodES512, k.p521, kid("p521"), `algorithm "ES512"`},
		{"RSA algorithm, curve key", jwt.SigningMethodRS256, k.rsa, kid("p256"), `not for algorithm "RS256"`},
		{"ES256, P-384 key", jwt.SigningMethodES256, k.p256, kid("p384"), `not for algorithm "ES256"`},
		{"EdDSA, RSA key", jwt.SigningMethodEdDSA, k.edwards, kid("rsa"), `not for algorithm "EdDSA"`},
		{"weak key", jwt.SigningMethodRS256, k.weak, kid("weak"), `"weak" is unknown`},
		{"encryption key", jwt.SigningMethodRS256, k.rsa, kid("encryption"), `"encryption" is unknown`},
		{"another key under that id", jwt.SigningMethodES256, k.unpublished, kid("p256"), "signature"},
		{"unknown id", jwt.SigningMethodES256, k.p256, kid("p257"), `"p257" is unknown`},
		{"very long id", jwt.SigningMethodES256, k.p256, kid(strings.Repeat("x", 9000)), "is unknown"},
		{"id is a number", jwt.SigningMethodES256, k.p256, []any{"kid", 5}, "not a string"},
		{"no id", jwt.SigningMethodES256, k.p256, nil, "there are several"},
		{"critical header", jwt.SigningMethodES256, k.p256, []any{"kid", "p256", "crit", []string{"x"}}, "crit"},
		{"brings its own key", jwt.SigningMethodES256, k.unpublished, []any{"jwk", json.RawMessage(public), "jku", "http://evil.example.com"}, "there are several"},
	} {
		t.Run(c.name, func(t *testing.T) {
			token := sign(t, c.method, c.key, goodClaims(nil), c.header...)
			if c.says != "" {
				wantRefusal(t, v, token, protocol.CodeToken, c.says)
			} else if g, err := v.Verify(t.Context(), token); err != nil || g.User() != "ada" {
				t.Errorf("got %+v, %v", g, err)
			}
		})
	}
}

// With one key in the set a token need not name it.
func TestSoleKey(t *testing.T) {
	k := keysOfEachKind()
	path := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(path, keySetText(t, published{key: k.p256}), 0o600); err != nil {
		t.Fatal(err)
	}
	v := newVerifier(t, Config{KeySet: path, Audience: "tidegate"})
	if _, err := v.Verify(t.Context(), sign(t, jwt.SigningMethodES256, k.p256, goodClaims(nil))); err != nil {
		t.Error(err)
	}
	wantRefusal(t, v, sign(t, jwt.SigningMethodRS256, k.rsa, goodClaims(nil)), protocol.CodeToken, "not for algorithm")
	wantRefusal(t, v, sign(t, jwt.SigningMethodES256, k.unpublished, goodClaims(nil)), protocol.CodeToken, "signature")
}

func TestKeySetFiles(t *testing.T) {
	k := keysOfEachKind()
	for name, c := range map[string]struct {
		text []byte
		says string
	}{
		"no JSON":      {[]byte("x"), "not a JWK set"},
		"empty set":    {[]byte(`{"keys":[]}`), "no key in it"},
		"another JSON": {[]byte(`{"a":1}`), "no key in it"},
		"secrets only": {keySetText(t, published{key: key, id: "s"}), "no key in it"},
		"weak only":    {keySetText(t, published{key: k.weak, id: "s"}), "not supported"},
		"too long":     {append(keySetText(t, published{key: k.p256}), make([]byte, maxKeySetBytes)...), "hardly a JWK set"},
	} {
		path := filepath.Join(t.TempDir(), "jwks.json")
		if err := os.WriteFile(path, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := New(Config{KeySet: path, Audience: "x"}); err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want %q", name, err, c.says)
		}
	}
}

// A new key is fetched when a token names it, a withdrawn one stops counting, and
// made-up ids do not make us a burden to the provider.
func TestRotation(t *testing.T) {
	k := keysOfEachKind()
	p := newProvider(t)
	p.publish(keySetText(t, published{key: k.p256, id: "old"}))
	c := newTick()
	v := newVerifier(t, Config{KeySet: p.URL, Audience: "tidegate", Clock: c.Now})
	oldToken := sign(t, jwt.SigningMethodES256, k.p256, goodClaims(nil), "kid", "old")
	newToken := sign(t, jwt.SigningMethodES256, k.alsoP256, goodClaims(nil), "kid", "new")
	if _, err := v.Verify(t.Context(), oldToken); err != nil {
		t.Fatal(err)
	}

	p.publish(keySetText(t, published{key: k.p256, id: "old"}, published{key: k.alsoP256, id: "new"}))
	for range 10 {
		wantRefusal(t, v, newToken, protocol.CodeToken, `"new" is unknown`)
	}
	if n := p.asked.Load(); n != 1 {
		t.Errorf("within the pause the provider was asked %d times", n)
	}
	c.advance(refreshPause)
	for _, token := range []string{newToken, oldToken} {
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Error(err)
		}
	}
	if n := p.asked.Load(); n != 2 {
		t.Errorf("the provider was asked %d times, want 2", n)
	}

	p.publish(keySetText(t, published{key: k.alsoP256, id: "new"}))
	c.advance(refreshAfter)
	if _, err := v.Verify(t.Context(), newToken); err != nil { // has the old set fetched again behind its back
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); p.asked.Load() < 3; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("an old set is not fetched again")
		}
	}
	<-v.keys.launch() // the fetch under way, or one more: it has a result now
	wantRefusal(t, v, oldToken, protocol.CodeToken, `"old" is unknown`)
}

// Waiting tokens share one fetch, and each waits no longer than its context.
func TestFetchIsShared(t *testing.T) {
	k := keysOfEachKind()
	p := newProvider(t)
	p.publish(keySetText(t, published{key: k.p256, id: "old"}))
	c := newTick()
	v := newVerifier(t, Config{KeySet: p.URL, Audience: "tidegate", Clock: c.Now})
	p.publish(keySetText(t, published{key: k.alsoP256, id: "new"}))
	token := sign(t, jwt.SigningMethodES256, k.alsoP256, goodClaims(nil), "kid", "new")
	c.advance(refreshPause)
	hold := make(chan struct{})
	p.hold.Store(&hold)

	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := v.Verify(context.Background(), token); err != nil {
				t.Error(err)
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := v.Verify(ctx, token); err == nil {
		t.Error("verified without the key")
	}
	close(hold)
	wg.Wait()
	if n := p.asked.Load(); n != 2 {
		t.Errorf("the provider was asked %d times, want 2", n)
	}
}

// While the provider is down the keys last fetched count; that others cannot be
// had is not blamed on the token.
func TestProviderDown(t *testing.T) {
	k := keysOfEachKind()
	p := newProvider(t)
	p.publish(keySetText(t, published{key: k.p256, id: "known"}))
	p.down.Store(true)
	c := newTick()
	v := newVerifier(t, Config{KeySet: p.URL, Audience: "tidegate", Clock: c.Now})
	known := sign(t, jwt.SigningMethodES256, k.p256, goodClaims(nil), "kid", "known")
	unknown := sign(t, jwt.SigningMethodES256, k.alsoP256, goodClaims(nil), "kid", "unknown")

	if err := v.Ready(); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("ready without keys: %v", err)
	}
	wantRefusal(t, v, known, protocol.CodeInternal, "cannot be fetched")

	p.down.Store(false)
	c.advance(refreshPause)
	if _, err := v.Verify(t.Context(), known); err != nil {
		t.Errorf("the provider is up again: %v", err)
	}
	if err := v.Ready(); err != nil {
		t.Error(err)
	}

	p.down.Store(true)
	c.advance(refreshPause)
	wantRefusal(t, v, unknown, protocol.CodeInternal, `"unknown" is unknown, and new keys cannot be fetched`)
	c.advance(10 * refreshPause)
	if _, err := v.Verify(t.Context(), known); err != nil {
		t.Errorf("a known key while the provider is down: %v", err)
	}
	<-v.keys.launch()
	if err := v.Ready(); err != nil {
		t.Error(err)
	}

	// A set without a usable key does not replace the good one.
	p.down.Store(false)
	p.publish([]byte(`{"keys":[]}`))
	<-v.keys.launch()
	if _, err := v.Verify(t.Context(), known); err != nil {
		t.Errorf("after an empty set: %v", err)
	}
}

// Rotation works for files too.
func TestFileRotation(t *testing.T) {
	k := keysOfEachKind()
	path := filepath.Join(t.TempDir(), "jwks.json")
	publish := func(keys ...published) {
		if err := os.WriteFile(path, keySetText(t, keys...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	publish(published{key: k.p256, id: "old"})
	c := newTick()
	v := newVerifier(t, Config{KeySet: path, Audience: "tidegate", Clock: c.Now})
	publish(published{key: k.alsoP256, id: "new"})
	c.advance(refreshPause)
	if _, err := v.Verify(t.Context(), sign(t, jwt.SigningMethodES256, k.alsoP256, goodClaims(nil), "kid", "new")); err != nil {
		t.Error(err)
	}
}
