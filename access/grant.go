package access

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tidegate/tidegate/protocol"
)

// DefaultTenant is the tenant of tokens that name none.
const DefaultTenant = "default"

// SpaceGrant allows the spaces that Pattern matches: one name, or, with "*" at
// its end, every name that begins with what stands before it. Write includes
// reading.
type SpaceGrant struct {
	Pattern string
	Write   bool
}

// Grant is what a verified token allows. It never changes; a refreshed token
// makes a new one.
type Grant struct {
	tenant  string
	user    string
	expires protocol.Time
	exact   map[string]bool // space → may write
	// prefixes are what stands before the "*", the longest first: the first that
	// matches is the most specific.
	prefixes []SpaceGrant
}

// NewGrant makes a grant, or says what is wrong with a name or a pattern.
// Expires of 0 means never.
func NewGrant(tenant, user string, expires protocol.Time, spaces ...SpaceGrant) (*Grant, error) {
	if err := checkName("tenant", tenant); err != nil {
		return nil, err
	}
	if err := checkName("user", user); err != nil {
		return nil, err
	}
	g := &Grant{tenant: tenant, user: user, expires: expires, exact: make(map[string]bool, len(spaces))}
	seen := make(map[string]bool, len(spaces))
	for _, s := range spaces {
		if err := checkName("space pattern", s.Pattern); err != nil {
			return nil, err
		}
		if seen[s.Pattern] {
			return nil, fmt.Errorf("space pattern %s stands there twice", quote(s.Pattern))
		}
		seen[s.Pattern] = true
		prefix, open := strings.CutSuffix(s.Pattern, "*")
		switch {
		case strings.Contains(prefix, "*"):
			return nil, fmt.Errorf(`space pattern %s: "*" may stand only once, at the end`, quote(s.Pattern))
		case open:
			g.prefixes = append(g.prefixes, SpaceGrant{Pattern: prefix, Write: s.Write})
		default:
			g.exact[s.Pattern] = s.Write
		}
	}
	slices.SortFunc(g.prefixes, func(a, b SpaceGrant) int { return len(b.Pattern) - len(a.Pattern) })
	return g, nil
}

// Check returns nil if the grant allows reading the space or, if write, writing
// it; else a *protocol.Error with CodeForbidden.
//
// Every delivery and every write passes here, each time, with the grant that its
// connection holds at that moment: what a session once allowed is not
// remembered. Rules (who may see which record) will be asked here too.
func (g *Grant) Check(space string, write bool) error {
	mayWrite, mayRead := g.lookup(space)
	switch {
	case !mayRead:
		return refusal(protocol.CodeForbidden, "user %s may not open space %s: no pattern of the token's claim \"spaces\" matches it", quote(g.user), quote(space))
	case write && !mayWrite:
		return refusal(protocol.CodeForbidden, "user %s may read space %s but not write it", quote(g.user), quote(space))
	}
	return nil
}

func (g *Grant) lookup(space string) (write, ok bool) {
	if write, ok := g.exact[space]; ok {
		return write, true
	}
	for _, p := range g.prefixes {
		if strings.HasPrefix(space, p.Pattern) {
			return p.Write, true
		}
	}
	return false, false
}

// User is who the token speaks for.
func (g *Grant) User() string { return g.user }

// Tenant is the isolation boundary: nothing of a connection ever leaves it.
func (g *Grant) Tenant() string { return g.tenant }

// Expires is when the grant ends; 0 for never.
func (g *Grant) Expires() protocol.Time { return g.expires }

// checkName refuses what cannot be a tenant, a user or a pattern. Control
// characters are refused because all three end up in logs and on terminals.
func checkName(what, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%s is empty", what)
	case len(s) > protocol.MaxNameBytes:
		return fmt.Errorf("%s is %d bytes long, at most %d are allowed", what, len(s), protocol.MaxNameBytes)
	case !utf8.ValidString(s):
		return fmt.Errorf("%s is not valid UTF-8", what)
	case strings.ContainsFunc(s, unicode.IsControl):
		return fmt.Errorf("%s %s contains a control character", what, quote(s))
	}
	return nil
}

func refusal(code protocol.Code, format string, args ...any) *protocol.Error {
	return &protocol.Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// quote bounds what a message repeats of a peer's input, and escapes what would
// upset a terminal.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		return fmt.Sprintf("%q…", strings.ToValidUTF8(s[:most], ""))
	}
	return fmt.Sprintf("%q", s)
}
