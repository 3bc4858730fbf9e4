package access

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestLoadSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	for _, c := range []struct {
		text string
		key  string // empty if the file is refused
		says string
	}{
		{strings.Repeat("k", 32), strings.Repeat("k", 32), ""},
		{strings.Repeat("k", 32) + "\r\n\n", strings.Repeat("k", 32), ""},
		{" " + strings.Repeat("k", 32) + " \n", " " + strings.Repeat("k", 32) + " ", ""},
		{"", "", "0 bytes long, at least 32"},
		{strings.Repeat("k", 31), "", "31 bytes long, at least 32"},
		{strings.Repeat("k", 31) + "\n", "", "31 bytes long"},
		{strings.Repeat("k", maxSecretBytes+1), "", "hardly a secret"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := LoadSecret(path)
		switch {
		case c.key == "" && (err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path)):
			t.Errorf("%q: got %v, want %q", c.text, err, c.says)
		case c.key != "" && (err != nil || string(s.key()) != c.key):
			t.Errorf("%q: got %q, %v", c.text, s.key(), err)
		}
	}
	if _, err := LoadSecret(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a missing file was accepted")
	}
	if _, err := LoadSecret(t.TempDir()); err == nil {
		t.Error("a directory was accepted")
	}
}

// All who come at once get the same secret, and nobody else may read it.
func TestLoadOrCreateSecret(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	for range 50 {
		os.Remove(path)
		secrets := make([]Secret, 8)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for i := range secrets {
			wg.Go(func() {
				<-start
				var err error
				if secrets[i], err = LoadOrCreateSecret(path); err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		wg.Wait()
		for _, s := range secrets {
			if len(s.key()) < MinSecretBytes || !bytes.Equal(s.key(), secrets[0].key()) {
				t.Fatal("different secrets, or none")
			}
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("%d files are left", len(files))
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreateSecret(path); err == nil {
		t.Error("a short secret was accepted")
	}
	if _, err := LoadOrCreateSecret(filepath.Join(dir, "none", "secret")); err == nil {
		t.Error("a missing directory was accepted")
	}
}

func TestSecretsStaySecret(t *testing.T) {
	s := secret(t)
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("x", "secret", s, "config", Config{Secret: s})
	v := newVerifier(t, Config{Secret: s})
	text := fmt.Sprintf("%v %+v %s %#v %v %+v", s, s, s, s, Config{Secret: s}, &Config{Secret: s}) +
		fmt.Sprintf("%v %+v %#v", v, *v, *v) + log.String()
	for _, leak := range []string{string(key), fmt.Sprint(key), fmt.Sprintf("%#v", key), fmt.Sprintf("%x", key)} {
		if strings.Contains(text, leak) {
			t.Errorf("%q leaks in %s", leak, text)
		}
	}
	if bytes.Equal(RandomSecret().key(), RandomSecret().key()) {
		t.Error("two random secrets are equal")
	}
}
