package access

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"github.com/tidegate/tidegate/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	noon   = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	atNoon = func() time.Time { return noon }
	key    = []byte("0123456789abcdef0123456789abcdef")
)

func secret(t testing.TB) Secret {
	t.Helper()
	s, err := NewSecret(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// goodClaims are accepted by the verifiers of this file; change overrides them,
// nil removes one.
func goodClaims(change jwt.MapClaims) jwt.MapClaims {
	c := jwt.MapClaims{
		"sub":    "ada",
		"aud":    "tidegate",
		"iss":    "https://id.example.com",
		"exp":    noon.Add(time.Hour).Unix(),
		"spaces": map[string]any{"board": "write", "public-*": "read"},
	}
	for name, value := range change {
		if value == nil {
			delete(c, name)
		} else {
			c[name] = value
		}
	}
	return c
}

func sign(t testing.TB, method jwt.SigningMethod, key any, claims jwt.MapClaims, header ...any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	for i := 0; i < len(header); i += 2 {
		token.Header[header[i].(string)] = header[i+1]
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// signText signs a header and a payload as they stand there.
func signText(header, payload string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func newVerifier(t testing.TB, c Config) *Verifier {
	t.Helper()
	if c.Clock == nil {
		c.Clock = atNoon
	}
	v, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func wantRefusal(t testing.TB, v *Verifier, token string, code protocol.Code, says string) {
	t.Helper()
	grant, err := v.Verify(context.Background(), token)
	var told *protocol.Error
	if !errors.As(err, &told) {
		t.Fatalf("got %+v, %v; want a *protocol.Error", grant, err)
	}
	if told.Code != code || !strings.Contains(told.Message, says) {
		t.Errorf("got %v\nwant %s with %q", told, code, says)
	}
	if grant != nil {
		t.Error("a grant came with the error")
	}
	if parts := strings.Split(token, "."); len(parts) == 3 && len(parts[2]) > 8 && strings.Contains(told.Message, parts[2]) {
		t.Errorf("the message repeats the signature: %s", told.Message)
	}
	if len(told.Message) > protocol.MaxMessageText {
		t.Errorf("the message is %d bytes long", len(told.Message))
	}
}

func TestGoodToken(t *testing.T) {
	v := newVerifier(t, Config{Secret: secret(t), Issuer: "https://id.example.com"})
	for name, c := range map[string]struct {
		change jwt.MapClaims
		tenant string
	}{
		"plain":               {nil, DefaultTenant},
		"tenant":              {jwt.MapClaims{"tenant": "acme"}, "acme"},
		"several audiences":   {jwt.MapClaims{"aud": []string{"x", "tidegate"}}, DefaultTenant},
		"made a moment ahead": {jwt.MapClaims{"iat": noon.Add(leeway).Unix(), "nbf": noon.Add(leeway).Unix()}, DefaultTenant},
		"unknown claims":      {jwt.MapClaims{"Tenant": 5, "SPACES": nil, "more": []int{1}}, DefaultTenant},
		"fractions":           {jwt.MapClaims{"exp": float64(noon.Add(time.Hour).Unix()) + 0.75}, DefaultTenant},
	} {
		g, err := v.Verify(t.Context(), sign(t, jwt.SigningMethodHS256, key, goodClaims(c.change)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if g.User() != "ada" || g.Tenant() != c.tenant || g.Expires() != protocol.Time(noon.Add(time.Hour).UnixMilli()) {
			t.Errorf("%s: got %+v", name, g)
		}
		if g.Check("board", true) != nil || g.Check("public-1", false) != nil || g.Check("public-1", true) == nil || g.Check("x", false) == nil {
			t.Errorf("%s: wrong spaces: %+v", name, g)
		}
	}
}

func TestBadTokens(t *testing.T) {
	v := newVerifier(t, Config{Secret: secret(t), Issuer: "https://id.example.com"})
	good := sign(t, jwt.SigningMethodHS256, key, goodClaims(nil))
	claims := func(change jwt.MapClaims) string { return sign(t, jwt.SigningMethodHS256, key, goodClaims(change)) }
	hs256 := `{"alg":"HS256"}`
	other := []byte("another secret of 32 bytes......")
	for _, c := range []struct {
		name, token string
		code        protocol.Code
		says        string
	}{
		{"empty", "", protocol.CodeToken, "none was given"},
		{"a word", "hello", protocol.CodeToken, "malformed"},
		{"two parts", strings.Join(strings.Split(good, ".")[:2], "."), protocol.CodeToken, "malformed"},
		{"five parts", good + ".a.b", protocol.CodeToken, "malformed"},
		{"dots", "..", protocol.CodeToken, "malformed"},
		{"not base64", "a%." + good, protocol.CodeToken, "malformed"},
		{"header is no JSON", signText("x", "{}"), protocol.CodeToken, "malformed"},
		{"payload is no JSON", signText(hs256, "x"), protocol.CodeToken, "malformed"},
		{"payload is a list", signText(hs256, "[]"), protocol.CodeToken, "malformed"},
		{"payload is null", signText(hs256, "null"), protocol.CodeToken, "audience none"},
		{"header is null", signText("null", "{}"), protocol.CodeToken, `algorithm ""`},
		{"too long", good + strings.Repeat("A", protocol.MaxTokenBytes), protocol.CodeToken, "at most 16384"},

		{"no algorithm", signText("{}", "{}"), protocol.CodeToken, `algorithm ""`},
		{"algorithm none", sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, goodClaims(nil)), protocol.CodeToken, `algorithm "none", allowed are HS256`},
		{"algorithm None", signText(`{"alg":"None"}`, "{}"), protocol.CodeToken, `algorithm "None"`},
		{"algorithm is a number", signText(`{"alg":256}`, "{}"), protocol.CodeToken, `algorithm ""`},
		{"algorithm unknown", signText(`{"alg":"\u001b[2Jx"}`, "{}"), protocol.CodeToken, `"\x1b[2Jx"`},
		{"algorithm very long", signText(`{"alg":"`+strings.Repeat("x", 5000)+`"}`, "{}"), protocol.CodeToken, "xxx"},
		{"HS384", sign(t, jwt.SigningMethodHS384, key, goodClaims(nil)), protocol.CodeToken, `"HS384"`},
		{"HS512", sign(t, jwt.SigningMethodHS512, key, goodClaims(nil)), protocol.CodeToken, `"HS512"`},
		{"RS256 on a secret", signText(`{"alg":"RS256"}`, "{}"), protocol.CodeToken, `"RS256"`},
		{"critical header", sign(t, jwt.SigningMethodHS256, key, goodClaims(nil), "crit", []string{"b64"}), protocol.CodeToken, "crit"},

		{"another secret", sign(t, jwt.SigningMethodHS256, other, goodClaims(nil)), protocol.CodeToken, "signature"},
		{"no signature", good[:strings.LastIndex(good, ".")+1], protocol.CodeToken, "signature"},
		{"changed", changePayload(t, good), protocol.CodeToken, "signature"},
		{"expired and another secret", sign(t, jwt.SigningMethodHS256, other, goodClaims(jwt.MapClaims{"exp": 1})), protocol.CodeToken, "signature"},

		{"expired", claims(jwt.MapClaims{"exp": noon.Add(-time.Minute).Unix()}), protocol.CodeExpired, "expired at 2026-11-22T11:59:00Z"},
		{"expires now", claims(jwt.MapClaims{"exp": noon.Unix()}), protocol.CodeExpired, "expired at"},
		{"never expires", claims(jwt.MapClaims{"exp": nil}), protocol.CodeToken, `"exp" is missing`},
		{"expiry is null", signText(hs256, `{"sub":"ada","aud":"tidegate","iss":"https://id.example.com","spaces":{},"exp":null}`), protocol.CodeToken, `"exp" is missing`},
		{"expiry in words", claims(jwt.MapClaims{"exp": "tomorrow"}), protocol.CodeToken, `"exp" is not a number`},
		{"expiry in milliseconds", claims(jwt.MapClaims{"exp": noon.Add(time.Hour).UnixMilli()}), protocol.CodeToken, "in seconds"},
		{"expiry beyond all", claims(jwt.MapClaims{"exp": 1e300}), protocol.CodeToken, "in seconds"},
		{"expiry negative", claims(jwt.MapClaims{"exp": -1}), protocol.CodeToken, "in seconds"},
		{"not yet", claims(jwt.MapClaims{"nbf": noon.Add(leeway + time.Second).Unix()}), protocol.CodeToken, "does not count before 2026-11-22T12:00:31Z"},
		{"made in future", claims(jwt.MapClaims{"iat": noon.Add(leeway + time.Second).Unix()}), protocol.CodeToken, "one of the clocks is wrong"},

		{"no audience", claims(jwt.MapClaims{"aud": nil}), protocol.CodeToken, `audience none, wanted "tidegate"`},
		{"another audience", claims(jwt.MapClaims{"aud": "shop"}), protocol.CodeToken, `audience "shop", wanted "tidegate"`},
		{"other audiences", claims(jwt.MapClaims{"aud": []string{"a", "b", "c", "d", "e"}}), protocol.CodeToken, `"a", "b", "c", "d", …`},
		{"audience in another case", claims(jwt.MapClaims{"aud": "Tidegate"}), protocol.CodeToken, "wanted"},
		{"audience is a number", claims(jwt.MapClaims{"aud": 5}), protocol.CodeToken, `"aud" is neither`},
		{"wrong audience and expired", claims(jwt.MapClaims{"aud": "shop", "exp": 1}), protocol.CodeToken, "audience"},
		{"no issuer", claims(jwt.MapClaims{"iss": nil}), protocol.CodeToken, `issuer none, wanted "https://id.example.com"`},
		{"another issuer", claims(jwt.MapClaims{"iss": "https://evil.example.com"}), protocol.CodeToken, `issuer "https://evil.example.com", wanted`},
		{"issuer is a list", claims(jwt.MapClaims{"iss": []string{"x"}}), protocol.CodeToken, `"iss" is not a string`},

		{"no user", claims(jwt.MapClaims{"sub": nil}), protocol.CodeToken, `"sub" is missing`},
		{"empty user", claims(jwt.MapClaims{"sub": ""}), protocol.CodeToken, `"sub" is missing`},
		{"user is a number", claims(jwt.MapClaims{"sub": 5}), protocol.CodeToken, `"sub" is not a string`},
		{"user too long", claims(jwt.MapClaims{"sub": strings.Repeat("x", 256)}), protocol.CodeToken, "user is 256 bytes long"},
		{"user with a line end", claims(jwt.MapClaims{"sub": "ada\nroot"}), protocol.CodeToken, "control character"},
		{"empty tenant", claims(jwt.MapClaims{"tenant": ""}), protocol.CodeToken, "tenant is empty"},
		{"tenant is a number", claims(jwt.MapClaims{"tenant": 5}), protocol.CodeToken, `"tenant" is not a string`},
		{"tenant is null", signText(hs256, `{"sub":"ada","aud":"tidegate","iss":"https://id.example.com","spaces":{},"exp":9999999999,"tenant":null}`), protocol.CodeToken, `"tenant" is not a string`},
		{"no spaces", claims(jwt.MapClaims{"spaces": nil}), protocol.CodeToken, `"spaces" is missing`},
		{"spaces is a list", claims(jwt.MapClaims{"spaces": []string{"board"}}), protocol.CodeToken, `"spaces" is not an object`},
		{"unknown mode", claims(jwt.MapClaims{"spaces": map[string]any{"board": "admin"}}), protocol.CodeToken, `the value of "board" is neither "read" nor "write"`},
		{"mode is true", claims(jwt.MapClaims{"spaces": map[string]any{"board": true}}), protocol.CodeToken, `neither "read" nor "write"`},
		{"star in the middle", claims(jwt.MapClaims{"spaces": map[string]any{"a*b": "read"}}), protocol.CodeToken, "at the end"},
		{"empty pattern", claims(jwt.MapClaims{"spaces": map[string]any{"": "read"}}), protocol.CodeToken, "pattern is empty"},
	} {
		t.Run(c.name, func(t *testing.T) { wantRefusal(t, v, c.token, c.code, c.says) })
	}
}

// changePayload makes another user of a token, leaving the signature.
func changePayload(t *testing.T, token string) string {
	parts := strings.Split(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	parts[1] = base64.RawURLEncoding.EncodeToString(bytes.Replace(text, []byte("ada"), []byte("bob"), 1))
	return strings.Join(parts, ".")
}

func TestAnyAudience(t *testing.T) {
	v := newVerifier(t, Config{Secret: secret(t), Audience: AnyAudience})
	for _, aud := range []any{nil, "shop", []string{"a", "b"}} {
		if _, err := v.Verify(t.Context(), sign(t, jwt.SigningMethodHS256, key, goodClaims(jwt.MapClaims{"aud": aud, "iss": nil}))); err != nil {
			t.Errorf("audience %v: %v", aud, err)
		}
	}
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]struct {
		config Config
		says   string
	}{
		"nothing":     {Config{}, "neither a secret nor"},
		"both":        {Config{Secret: secret(t), KeySet: "x"}, "choose one"},
		"no audience": {Config{KeySet: "https://id.example.com/jwks"}, "needs an audience"},
		"plain http":  {Config{KeySet: "http://id.example.com/jwks", Audience: "x"}, "use https"},
		"ftp":         {Config{KeySet: "ftp://id.example.com/jwks", Audience: "x"}, "neither an http(s) URL"},
		"no host":     {Config{KeySet: "https:///jwks", Audience: "x"}, "neither an http(s) URL"},
		"no file":     {Config{KeySet: "/nowhere/jwks.json", Audience: "x"}, "no such file"},
	} {
		if _, err := New(c.config); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %q", name, err, c.says)
		}
	}
}

func TestDevelopment(t *testing.T) {
	v, err := NewDevelopment(secret(t), atNoon)
	if err != nil {
		t.Fatal(err)
	}
	if !v.Development() || v.Ready() != nil || newVerifier(t, Config{Secret: secret(t)}).Development() {
		t.Error("wrong about itself")
	}
	g, err := v.Verify(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if g.User() != "dev" || g.Tenant() != DefaultTenant || g.Expires() != 0 || g.Check("anything", true) != nil {
		t.Errorf("without a token: %+v", g)
	}
	minted, err := Mint(secret(t), MintOptions{User: "ada", Tenant: "acme", Spaces: []SpaceGrant{{"b*", true}, {"c", false}}, Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	g, err = v.Verify(t.Context(), minted)
	if err != nil {
		t.Fatal(err)
	}
	if g.User() != "ada" || g.Tenant() != "acme" || g.Expires() != protocol.Time(noon.Add(time.Hour).UnixMilli()) ||
		g.Check("board", true) != nil || g.Check("c", false) != nil || g.Check("c", true) == nil {
		t.Errorf("minted: %+v", g)
	}
	// A bad token is refused, and does not fall back to the user dev.
	wantRefusal(t, v, minted+"x", protocol.CodeToken, "")
	wantRefusal(t, v, "x", protocol.CodeToken, "malformed")
	stranger, err := Mint(RandomSecret(), MintOptions{User: "ada", Spaces: []SpaceGrant{{"*", true}}, Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, v, stranger, protocol.CodeToken, "signature")
	given, err := v.DevelopmentToken("grace")
	if err != nil {
		t.Fatal(err)
	}
	if g, err = v.Verify(t.Context(), given); err != nil || g.User() != "grace" || g.Tenant() != DefaultTenant || g.Check("anything", true) != nil {
		t.Errorf("given: %+v %v", g, err)
	}
	if _, err := v.DevelopmentToken(""); err == nil {
		t.Error("a token was given to nobody")
	}
	if _, err := newVerifier(t, Config{Secret: secret(t)}).DevelopmentToken("grace"); err == nil {
		t.Error("a token was given outside development mode")
	}
	if _, err := NewDevelopment(Secret{}, nil); err == nil {
		t.Error("development mode without a secret was accepted")
	}
}

func TestMintRefuses(t *testing.T) {
	all := []SpaceGrant{{"*", true}}
	for name, c := range map[string]struct {
		secret  Secret
		options MintOptions
	}{
		"no secret":   {Secret{}, MintOptions{User: "ada", Spaces: all}},
		"no user":     {secret(t), MintOptions{Spaces: all}},
		"no spaces":   {secret(t), MintOptions{User: "ada"}},
		"bad pattern": {secret(t), MintOptions{User: "ada", Spaces: []SpaceGrant{{"a*b", true}}}},
		"bad tenant":  {secret(t), MintOptions{User: "ada", Tenant: "a\n", Spaces: all}},
		"expired":     {secret(t), MintOptions{User: "ada", Spaces: all, For: -time.Hour}},
	} {
		if token, err := Mint(c.secret, c.options); err == nil {
			t.Errorf("%s: got %s", name, token)
		}
	}
}

// Whatever is given, the answer is a grant that was signed, or an error of ours;
// what it allocates is bounded.
func FuzzToken(f *testing.F) {
	v := newVerifier(f, Config{Secret: secret(f)})
	f.Add(sign(f, jwt.SigningMethodHS256, key, goodClaims(nil)), "", "")
	f.Add("..", "", "")
	f.Add("", `{"alg":"HS256","kid":5}`, `{"sub":"ada","aud":["tidegate"],"exp":9e9,"spaces":{"*":"read"}}`)
	f.Add("", `{"alg":"none"}`, `{"exp":1e999}`)
	f.Add("", `{"alg":"HS256"}`, strings.Repeat("[", 9000))
	f.Fuzz(func(t *testing.T, token, header, payload string) {
		if header != "" {
			token = signText(header, payload)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		g, err := v.Verify(context.Background(), token)
		runtime.ReadMemStats(&after)
		size := min(len(token), protocol.MaxTokenBytes)
		if used := after.TotalAlloc - before.TotalAlloc; used > 64*uint64(size)+(256<<10) {
			t.Fatalf("%d bytes made it allocate %d", len(token), used)
		}
		var told *protocol.Error
		switch {
		case (g == nil) == (err == nil):
			t.Fatalf("got %v and %v", g, err)
		case err != nil && !errors.As(err, &told):
			t.Fatalf("not an error of ours: %v", err)
		case err != nil && (len(told.Message) > protocol.MaxMessageText || !json.Valid(mustJSON(told.Message))):
			t.Fatalf("message of %d bytes: %q", len(told.Message), told.Message)
		case g != nil && (g.User() == "" || g.Tenant() == "" || g.Expires() <= protocol.Time(noon.UnixMilli())):
			t.Fatalf("got %+v", g)
		}
	})
}

func mustJSON(s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		return nil
	}
	return text
}
