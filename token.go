package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tidegate/tidegate/access"
)

// tokenCommand mints a token, as an app's backend would.
type tokenCommand struct {
	User   string            `required:"" placeholder:"NAME" help:"Who the token speaks for."`
	Space  map[string]string `required:"" mapsep:"none" placeholder:"PATTERN=read|write" help:"A space, or the beginning of its name and a *, and what is allowed there. May be repeated."`
	Tenant string            `placeholder:"NAME" help:"The isolation boundary; \"default\" if not given."`
	TTL    time.Duration     `default:"1h" help:"How long the token counts."`

	AuthSecretFile string `type:"existingfile" placeholder:"FILE" env:"TIDEGATE_AUTH_SECRET_FILE" help:"The secret that the gateway checks tokens with. Without it the token is for this machine's development mode."`
	AuthIssuer     string `placeholder:"NAME" env:"TIDEGATE_AUTH_ISSUER" help:"The issuer to name in the token."`
	AuthAudience   string `placeholder:"NAME" env:"TIDEGATE_AUTH_AUDIENCE" help:"The audience to name in the token; \"tidegate\" if not given."`
}

// Help teaches.
func (tokenCommand) Help() string {
	return `Prints a token (a JWT, signed with HS256) on standard output.

  tidegate token --user ada --space 'board-*=write' --space audit=read --ttl 8h

A production app's backend mints its users' tokens itself, with the same secret, or your identity provider does.
If several patterns match a space, the most specific one decides.`
}

// Run mints the token.
func (t *tokenCommand) Run(stdout io.Writer) error {
	var spaces []access.SpaceGrant
	for _, pattern := range slices.Sorted(maps.Keys(t.Space)) {
		mode := t.Space[pattern]
		if mode != "read" && mode != "write" {
			return usageError{fmt.Errorf("--space %s=%s: want %s=read or %s=write", pattern, mode, pattern, pattern)}
		}
		spaces = append(spaces, access.SpaceGrant{Pattern: pattern, Write: mode == "write"})
	}
	secret, err := t.secret()
	if err != nil {
		return err
	}
	token, err := access.Mint(secret, access.MintOptions{
		User: t.User, Tenant: t.Tenant, Spaces: spaces, For: t.TTL,
		Issuer: t.AuthIssuer, Audience: t.AuthAudience,
	})
	if err != nil {
		return usageError{err}
	}
	_, err = fmt.Fprintln(stdout, token)
	return err
}

func (t *tokenCommand) secret() (access.Secret, error) {
	if t.AuthSecretFile != "" {
		return access.LoadSecret(t.AuthSecretFile)
	}
	return developmentSecret()
}

// developmentSecret returns the secret of this user's development mode, and makes
// it if there is none: so a token minted here counts at a gateway that was
// started before or after.
func developmentSecret() (access.Secret, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return access.Secret{}, fmt.Errorf("no place for the development secret: %w; --auth-secret-file names one", err)
	}
	dir = filepath.Join(dir, "tidegate")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return access.Secret{}, fmt.Errorf("no place for the development secret: %w; --auth-secret-file names one", err)
	}
	return access.LoadOrCreateSecret(filepath.Join(dir, "development-secret"))
}
