package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tidegate/tidegate/protocol"
)

// The claims of our own, and what the values of claimSpaces may be.
const (
	claimTenant = "tenant"
	claimSpaces = "spaces"

	modeRead  = "read"
	modeWrite = "write"
)

// leeway is how far the clock of who made the token may be ahead of ours: nbf
// and iat alone profit from it. An expired token gets none, since what
// protocol.Limits.TokenGrace gives a live connection is all there shall be.
const leeway = 30 * time.Second

// latest is the last second of the year 9999. A later exp, nbf or iat is a
// mistake in the unit (milliseconds, or worse).
const latest = 253402300799

// claims are a token's claims as they stand there. Names are compared exactly,
// which encoding/json would not do for a struct.
type claims map[string]json.RawMessage

// registered decodes the claims that RFC 7519 registers and we use.
func (c claims) registered() (*jwt.RegisteredClaims, error) {
	var r jwt.RegisteredClaims
	for name, to := range map[string]*string{"sub": &r.Subject, "iss": &r.Issuer} {
		if raw, ok := c[name]; ok && json.Unmarshal(raw, to) != nil {
			return nil, fmt.Errorf("claim %q is not a string", name)
		}
	}
	if raw, ok := c["aud"]; ok && json.Unmarshal(raw, &r.Audience) != nil {
		return nil, errors.New(`claim "aud" is neither a string nor a list of strings`)
	}
	for name, to := range map[string]**jwt.NumericDate{"exp": &r.ExpiresAt, "nbf": &r.NotBefore, "iat": &r.IssuedAt} {
		var seconds *float64
		if raw, ok := c[name]; ok && json.Unmarshal(raw, &seconds) != nil {
			return nil, fmt.Errorf("claim %q is not a number of seconds", name)
		}
		if seconds == nil {
			continue
		}
		if *seconds < 0 || *seconds > latest {
			return nil, fmt.Errorf("claim %q is not between the years 1970 and 9999: it must be in seconds", name)
		}
		*to = jwt.NewNumericDate(time.Unix(int64(*seconds), 0))
	}
	return &r, nil
}

// grant makes a Grant of claims whose signature was verified and whose
// registered claims were validated.
func (c claims) grant(registered *jwt.RegisteredClaims) (*Grant, error) {
	if registered.Subject == "" {
		return nil, errors.New(`claim "sub" is missing: it names the user`)
	}
	tenant := DefaultTenant
	if raw, ok := c[claimTenant]; ok {
		var named *string
		if err := json.Unmarshal(raw, &named); err != nil || named == nil {
			return nil, errors.New(`claim "tenant" is not a string`)
		}
		tenant = *named
	}
	spaces, err := parseSpaces(c[claimSpaces])
	if err != nil {
		return nil, err
	}
	return NewGrant(tenant, registered.Subject, protocol.Time(registered.ExpiresAt.UnixMilli()), spaces...)
}

func parseSpaces(raw json.RawMessage) ([]SpaceGrant, error) {
	if raw == nil {
		return nil, errors.New(`claim "spaces" is missing: an object like {"board-1": "write", "public-*": "read"}`)
	}
	var modes map[string]json.RawMessage
	if err := json.Unmarshal(raw, &modes); err != nil || modes == nil {
		return nil, errors.New(`claim "spaces" is not an object like {"board-1": "write", "public-*": "read"}`)
	}
	spaces := make([]SpaceGrant, 0, len(modes))
	for pattern, raw := range modes {
		var mode string
		if err := json.Unmarshal(raw, &mode); err != nil || (mode != modeRead && mode != modeWrite) {
			return nil, fmt.Errorf(`claim "spaces": the value of %s is neither "read" nor "write"`, quote(pattern))
		}
		spaces = append(spaces, SpaceGrant{Pattern: pattern, Write: mode == modeWrite})
	}
	return spaces, nil
}

// validate checks the registered claims against the configuration, at now.
// A token that is both expired and wrong is reported as wrong: refreshing it
// would not help.
func (v *Verifier) validate(r *jwt.RegisteredClaims, now time.Time) *protocol.Error {
	options := []jwt.ParserOption{
		jwt.WithTimeFunc(func() time.Time { return now }),
		jwt.WithLeeway(leeway),
		jwt.WithIssuedAt(),
		jwt.WithExpirationRequired(),
	}
	if v.audience != AnyAudience {
		options = append(options, jwt.WithAudience(v.audience))
	}
	if v.issuer != "" {
		options = append(options, jwt.WithIssuer(v.issuer))
	}
	err := jwt.NewValidator(options...).Validate(r)
	switch {
	case v.audience != AnyAudience && !slices.Contains(r.Audience, v.audience):
		return refusal(protocol.CodeToken, "the token is for audience %s, wanted %s", quoteAll(r.Audience), quote(v.audience))
	case v.issuer != "" && r.Issuer != v.issuer:
		return refusal(protocol.CodeToken, "the token is by issuer %s, wanted %s", quoteAll([]string{r.Issuer}), quote(v.issuer))
	case r.ExpiresAt == nil:
		return refusal(protocol.CodeToken, `claim "exp" is missing: a token must end`)
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return refusal(protocol.CodeToken, "the token does not count before %s, and it is %s", clock(r.NotBefore.Time), clock(now))
	case errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return refusal(protocol.CodeToken, "the token says it was made at %s, and it is %s: one of the clocks is wrong", clock(r.IssuedAt.Time), clock(now))
	case !now.Before(r.ExpiresAt.Time):
		return refusal(protocol.CodeExpired, "the token expired at %s", clock(r.ExpiresAt.Time))
	case err != nil:
		return refusal(protocol.CodeToken, "the token's claims are not valid: %v", err)
	}
	return nil
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func quoteAll(list []string) string {
	if len(list) == 0 || len(list) == 1 && list[0] == "" {
		return "none"
	}
	const most = 4 // enough to see the mistake
	quoted := make([]string, 0, most+1)
	for i, s := range list {
		if i == most {
			quoted = append(quoted, "…")
			break
		}
		quoted = append(quoted, quote(s))
	}
	return strings.Join(quoted, ", ")
}
