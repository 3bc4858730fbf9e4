package access

import (
	"errors"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/protocol"
)

func TestCheck(t *testing.T) {
	g, err := NewGrant("acme", "ada", 0,
		SpaceGrant{"board", true},
		SpaceGrant{"audit", false},
		SpaceGrant{"team-*", false},
		SpaceGrant{"team-a-*", true},
		SpaceGrant{"team-a-x*", false},
		SpaceGrant{"team-a-xy", true},
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		space       string
		read, write bool
	}{
		{"board", true, true},
		{"board2", false, false},
		{"boar", false, false},
		{"Board", false, false},
		{"", false, false},
		{"*", false, false},
		{"audit", true, false},
		{"team-", true, false},
		{"team", false, false},
		{"team-b", true, false},
		{"team-a-", true, true},
		{"team-a-1", true, true},
		{"team-a-x", true, false}, // the longer prefix decides
		{"team-a-xy", true, true}, // the exact name decides
		{"team-a-xyz", true, false},
	} {
		for _, write := range []bool{false, true} {
			allowed := c.read
			if write {
				allowed = c.write
			}
			err := g.Check(c.space, write)
			if (err == nil) != allowed {
				t.Errorf("space %q, write %v: %v", c.space, write, err)
			}
			var told *protocol.Error
			if err != nil && (!errors.As(err, &told) || told.Code != protocol.CodeForbidden) {
				t.Errorf("space %q, write %v: not CodeForbidden: %v", c.space, write, err)
			}
		}
	}
}

func TestNoSpaces(t *testing.T) {
	g, err := NewGrant("acme", "ada", 5)
	if err != nil {
		t.Fatal(err)
	}
	if g.Check("board", false) == nil {
		t.Error("a grant without patterns allows a space")
	}
	if g.Tenant() != "acme" || g.User() != "ada" || g.Expires() != 5 {
		t.Errorf("got %+v", g)
	}
}

func TestNewGrantRefuses(t *testing.T) {
	long := strings.Repeat("x", protocol.MaxNameBytes+1)
	for _, c := range []struct{ tenant, user, pattern, says string }{
		{"", "ada", "x", "tenant is empty"},
		{"acme", "", "x", "user is empty"},
		{"acme", "ada", "", "pattern is empty"},
		{long, "ada", "x", "256 bytes"},
		{"acme", long, "x", "256 bytes"},
		{"acme", "ada", long, "256 bytes"},
		{"ac\nme", "ada", "x", "control"},
		{"acme", "ada\x1b[2J", "x", "control"},
		{"acme", "\xff", "x", "UTF-8"},
		{"acme", "ada", "a*b", "at the end"},
		{"acme", "ada", "**", "at the end"},
		{"acme", "ada", "*a", "at the end"},
	} {
		_, err := NewGrant(c.tenant, c.user, 0, SpaceGrant{Pattern: c.pattern})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q %q %q: got %v, want %q", c.tenant, c.user, c.pattern, err, c.says)
		}
	}
	if _, err := NewGrant("acme", "ada", 0, SpaceGrant{"x", true}, SpaceGrant{"x", false}); err == nil {
		t.Error("a pattern that stands there twice was accepted")
	}
}
