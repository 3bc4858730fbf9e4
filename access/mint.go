package access

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// DefaultAudience is the audience of tokens that are signed with a secret, if
// none is configured.
const DefaultAudience = "tidegate"

// MintOptions says what a token shall allow.
type MintOptions struct {
	// User is required.
	User string
	// Tenant is [DefaultTenant] if empty.
	Tenant string
	// Spaces is required: a token without any allows nothing.
	Spaces []SpaceGrant
	// Audience is [DefaultAudience] if empty.
	Audience string
	// Issuer is left out if empty.
	Issuer string
	// For is how long the token counts, from Now on, in whole seconds; an hour if 0.
	For time.Duration
	// Now is when the token is made; the present if zero.
	Now time.Time
}

// Mint makes a token and signs it with secret, as an app's backend would. It
// refuses what a [Verifier] would refuse.
func Mint(secret Secret, o MintOptions) (string, error) {
	if o.Tenant == "" {
		o.Tenant = DefaultTenant
	}
	if o.Audience == "" {
		o.Audience = DefaultAudience
	}
	if o.For == 0 {
		o.For = time.Hour
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	switch {
	case len(secret.key()) < MinSecretBytes:
		return "", errors.New("no secret to sign the token with")
	case o.For < time.Second:
		return "", fmt.Errorf("a token for %v would have expired already", o.For)
	case len(o.Spaces) == 0:
		return "", errors.New("no space is allowed: name at least one, or \"*\" for all")
	}
	if _, err := NewGrant(o.Tenant, o.User, 0, o.Spaces...); err != nil {
		return "", err
	}
	spaces := make(map[string]string, len(o.Spaces))
	for _, s := range o.Spaces {
		spaces[s.Pattern] = modeRead
		if s.Write {
			spaces[s.Pattern] = modeWrite
		}
	}
	claims := jwt.MapClaims{
		"sub":       o.User,
		"aud":       o.Audience,
		"iat":       o.Now.Unix(),
		"exp":       o.Now.Add(o.For).Unix(),
		claimTenant: o.Tenant,
		claimSpaces: spaces,
	}
	if o.Issuer != "" {
		claims["iss"] = o.Issuer
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secret.key())
}
