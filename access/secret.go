package access

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// MinSecretBytes is the shortest secret that HS256 is allowed with: the size of
// its hash (RFC 7518, 3.2). Anything shorter can be guessed offline from one
// token.
const MinSecretBytes = 32

// maxSecretBytes keeps a wrong path (a device, a database) from being read whole.
const maxSecretBytes = 4 << 10

// Secret is the key of HS256 tokens. Printing or logging it, or what holds it,
// shows nothing.
type Secret struct {
	// A pointer: fmt calls no String of an unexported field, but prints a pointer
	// within a struct as an address.
	hidden *[]byte
}

func (s Secret) key() []byte {
	if s.hidden == nil {
		return nil
	}
	return *s.hidden
}

// NewSecret makes a secret of key, which must have [MinSecretBytes] at least.
func NewSecret(key []byte) (Secret, error) {
	if len(key) < MinSecretBytes {
		return Secret{}, fmt.Errorf("the secret is %d bytes long, at least %d are needed (openssl rand -hex 32 makes a good one)", len(key), MinSecretBytes)
	}
	key = bytes.Clone(key)
	return Secret{hidden: &key}, nil
}

// RandomSecret makes a secret that nobody else knows.
func RandomSecret() Secret {
	key := make([]byte, MinSecretBytes)
	rand.Read(key) // never fails: it ends the program if there is no randomness
	return Secret{hidden: &key}
}

// LoadSecret reads a secret from a file. The key is the file's bytes without
// line ends after the last other byte, since editors and echo add one.
func LoadSecret(path string) (Secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return Secret{}, fmt.Errorf("secret file: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecretBytes+1))
	if err != nil {
		return Secret{}, fmt.Errorf("secret file: %w", err)
	}
	if len(text) > maxSecretBytes {
		return Secret{}, fmt.Errorf("secret file %s: longer than %d bytes, so hardly a secret", path, maxSecretBytes)
	}
	secret, err := NewSecret(bytes.TrimRight(text, "\r\n"))
	if err != nil {
		return Secret{}, fmt.Errorf("secret file %s: %w", path, err)
	}
	return secret, nil
}

// LoadOrCreateSecret reads the secret at path, or makes a random one and keeps
// it there for this user alone. Development mode uses it, so that a token minted
// by one process counts in another, and after a restart.
func LoadOrCreateSecret(path string) (Secret, error) {
	secret, err := LoadSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	// Written beside it and linked into place: whoever comes second, be it at
	// the same moment, finds a whole file and uses that.
	f, err := os.CreateTemp(filepath.Dir(path), ".secret-*")
	if err != nil {
		return Secret{}, fmt.Errorf("secret file: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintln(f, hex.EncodeToString(RandomSecret().key()))
	if err := errors.Join(err, f.Close()); err != nil {
		return Secret{}, fmt.Errorf("secret file: %w", err)
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return Secret{}, fmt.Errorf("secret file: %w", err)
	}
	return LoadSecret(path)
}

// String, GoString and LogValue hide the key.
func (Secret) String() string       { return "[secret]" }
func (Secret) GoString() string     { return "[secret]" }
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }
