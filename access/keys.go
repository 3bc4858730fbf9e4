package access

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/tidegate/tidegate/protocol"
)

const (
	// maxKeySetBytes bounds a JWK set; big providers' are below 20 KB.
	maxKeySetBytes = 1 << 20
	// minRSABits is the least that RFC 7518 allows.
	minRSABits = 2048
	// refreshAfter is how long a key that its owner withdrew still counts.
	refreshAfter = 10 * time.Minute
	// refreshPause lies between two fetches for the sake of unknown key ids, so
	// that made-up ids cannot make us a burden to the provider.
	refreshPause = 15 * time.Second
	// fetchWithin is shorter than Limits.HelloWithin: a hello that waits for new
	// keys is still answered.
	fetchWithin = 4 * time.Second
)

// keySet is a JWK set that is fetched again when it has grown old, or when a
// token names a key that is not in it. While fetching fails, the keys last
// fetched count.
type keySet struct {
	// Static.
	name  string
	fetch func(context.Context) ([]byte, error)
	clock func() time.Time

	mu       sync.Mutex
	keys     keyfunc.Keyfunc // guarded by mu; nil until a fetch succeeded
	sole     any             // guarded by mu; the only key, for tokens without a key id
	lastTry  time.Time       // guarded by mu
	fetched  time.Time       // guarded by mu
	fetchErr error           // guarded by mu; of the last try
	flight   chan struct{}   // guarded by mu; closed when the fetch under way ends, nil if none is
}

// newKeySet returns a keySet for source, an http(s) URL or the path of a file,
// and fetches it a first time. A file must be readable and good; a URL that
// cannot be reached now is tried again when a token needs it.
func newKeySet(source string, client *http.Client, insecure bool, clock func() time.Time) (*keySet, error) {
	s := &keySet{name: source, clock: clock}
	isURL := strings.Contains(source, "://")
	if isURL {
		u, err := url.Parse(source)
		switch {
		case err != nil:
			return nil, fmt.Errorf("JWK set: %w", err)
		case u.Scheme != "https" && u.Scheme != "http", u.Host == "":
			return nil, fmt.Errorf("JWK set %s: neither an http(s) URL nor a file", source)
		case u.Scheme == "http" && !insecure && !isLoopbackHost(u.Hostname()):
			return nil, fmt.Errorf("JWK set %s: over plain http anybody on the way could put their own keys in; use https, or allow it explicitly", source)
		}
		s.fetch = func(ctx context.Context) ([]byte, error) { return fetchURL(ctx, client, source) }
	} else {
		s.fetch = func(context.Context) ([]byte, error) { return readFile(source) }
	}
	s.refresh()
	if err := s.ready(); err != nil && !isURL {
		return nil, err
	}
	return s, nil
}

// ready says why no token can be verified, or nil.
func (s *keySet) ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		return fmt.Errorf("JWK set %s: %w", s.name, s.fetchErr)
	}
	return nil
}

// key finds the key that a token names, fetching the set anew if it must.
func (s *keySet) key(ctx context.Context, token *jwt.Token) (any, error) {
	key, err := s.find(ctx, token)
	if err == nil {
		s.refreshIfOld()
		return key, nil
	}
	if s.await(ctx) {
		key, err = s.find(ctx, token)
	}
	return key, err
}

func (s *keySet) find(ctx context.Context, token *jwt.Token) (any, error) {
	s.mu.Lock()
	keys, sole, fetchErr := s.keys, s.sole, s.fetchErr
	s.mu.Unlock()
	if keys == nil {
		return nil, refusal(protocol.CodeInternal, "the keys that tokens are verified with cannot be fetched at the moment")
	}
	kid, named := token.Header["kid"]
	if !named {
		if sole == nil {
			return nil, refusal(protocol.CodeToken, "the token names no key (header \"kid\"), and there are several")
		}
		return fits(token.Method.Alg(), sole)
	}
	key, err := keys.KeyfuncCtx(ctx)(token)
	switch id, isString := kid.(string); {
	case !isString:
		return nil, refusal(protocol.CodeToken, "the token's key id (header \"kid\") is not a string")
	case errors.Is(err, jwkset.ErrKeyNotFound) && fetchErr != nil:
		// It may be a new key. The token is not to blame that we cannot see it.
		return nil, refusal(protocol.CodeInternal, "key id %s is unknown, and new keys cannot be fetched at the moment", quote(id))
	case errors.Is(err, jwkset.ErrKeyNotFound):
		return nil, refusal(protocol.CodeToken, "key id %s is unknown", quote(id))
	case err != nil: // the key's own "alg" is another
		return nil, refusal(protocol.CodeToken, "key %s is not for algorithm %s", quote(id), quote(token.Method.Alg()))
	}
	return fits(token.Method.Alg(), key)
}

// await fetches the set, or waits for a fetch under way, and reports whether
// there may be something new. It does nothing within refreshPause of the last.
func (s *keySet) await(ctx context.Context) bool {
	s.mu.Lock()
	flight := s.flight
	if flight == nil && s.clock().Sub(s.lastTry) < refreshPause {
		s.mu.Unlock()
		return false
	}
	s.mu.Unlock()
	if flight == nil {
		flight = s.launch()
	}
	select {
	case <-flight:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *keySet) refreshIfOld() {
	s.mu.Lock()
	now := s.clock()
	old := s.flight == nil && now.Sub(s.fetched) >= refreshAfter && now.Sub(s.lastTry) >= refreshPause
	s.mu.Unlock()
	if old {
		s.launch()
	}
}

// launch starts a fetch unless one is under way, and returns a channel that is
// closed when it ends.
func (s *keySet) launch() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight != nil {
		return s.flight
	}
	flight := make(chan struct{})
	s.flight = flight
	go func() {
		s.refresh()
		s.mu.Lock()
		s.flight = nil
		s.mu.Unlock()
		close(flight)
	}()
	return flight
}

// refresh fetches the set. It has a deadline of its own: whoever asked for it
// may be gone, the next one profits.
func (s *keySet) refresh() {
	ctx, cancel := context.WithTimeout(context.Background(), fetchWithin)
	defer cancel()
	text, err := s.fetch(ctx)
	var keys keyfunc.Keyfunc
	var sole any
	if err == nil {
		keys, sole, err = parseKeySet(text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastTry, s.fetchErr = s.clock(), err
	if err == nil {
		s.keys, s.sole, s.fetched = keys, sole, s.lastTry
	}
}

// parseKeySet takes the keys that can verify tokens and passes over the others:
// providers publish encryption keys and curves we do not know beside them.
// Symmetric keys are passed over always. A public file is no place for a secret.
func parseKeySet(text []byte) (keys keyfunc.Keyfunc, sole any, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, nil, fmt.Errorf("not a JWK set: %w", err)
	}
	storage := jwkset.NewMemoryStorage()
	ctx := context.Background() // storage in memory
	count := 0
	var passed error
	for i, raw := range set.Keys {
		jwk, err := parseKey(raw)
		if err != nil {
			passed = errors.Join(passed, fmt.Errorf("key %d: %w", i+1, err))
			continue
		}
		if err := storage.KeyWrite(ctx, jwk); err != nil {
			return nil, nil, err
		}
		count++
		sole = jwk.Key()
	}
	switch count {
	case 0:
		return nil, nil, errors.Join(errors.New("no key in it can verify tokens"), passed)
	case 1:
	default:
		sole = nil
	}
	keys, err = keyfunc.New(keyfunc.Options{Storage: storage})
	return keys, sole, err
}

func parseKey(raw json.RawMessage) (jwkset.JWK, error) {
	// Private parts are left out, and symmetric keys refused, unless asked for.
	jwk, err := jwkset.NewJWKFromRawJSON(raw, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return jwk, err
	}
	if use := jwk.Marshal().USE; use != "" && use != jwkset.UseSig {
		return jwk, fmt.Errorf("it is for use %q, not for signatures", string(use))
	}
	if len(algorithmsFor(jwk.Key())) == 0 {
		return jwk, fmt.Errorf("kind %T, curve or size is not supported", jwk.Key())
	}
	return jwk, nil
}

// algorithmsFor pins the algorithms of each kind of key: none for keys that may
// not be used.
func algorithmsFor(key any) []string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() >= minRSABits {
			return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
		}
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return []string{"ES256"}
		case elliptic.P384():
			return []string{"ES384"}
		}
	case ed25519.PublicKey:
		return []string{"EdDSA"}
	}
	return nil
}

// keySetAlgorithms are all that algorithmsFor can answer; secretAlgorithms are
// those of a secret. That the two are disjoint is what keeps a public key from
// being used as a secret.
var (
	keySetAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"}
	secretAlgorithms = []string{"HS256"}
)

func fits(algorithm string, key any) (any, error) {
	if slices.Contains(algorithmsFor(key), algorithm) {
		return key, nil
	}
	return nil, refusal(protocol.CodeToken, "the token's key is not for algorithm %s", quote(algorithm))
}

func fetchURL(ctx context.Context, client *http.Client, source string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, source, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered %s", resp.Status)
	}
	return readBounded(resp.Body)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f)
}

func readBounded(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxKeySetBytes+1))
	if err == nil && len(text) > maxKeySetBytes {
		err = fmt.Errorf("longer than %d bytes, so hardly a JWK set", maxKeySetBytes)
	}
	return text, err
}
