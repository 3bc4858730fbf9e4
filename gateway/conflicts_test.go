package gateway

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// collision is two devices that can be made to edit the same field unseen.
type collision struct {
	t        *testing.T
	ctx      context.Context
	line     *line // ada's
	ada, ben *client.Space
}

// collide connects ada and ben to a space with one card, whose title goes to the
// later edit, and whose price two people have to agree on.
func collide(t *testing.T) *collision {
	t.Helper()
	schema, err := merge.ParseSchema(map[string][]byte{
		"cards.json": []byte(`{"type": "object", "properties": {
			"title": {"type": "string"},
			"price": {"type": "string", "x-merge": "ask"}
		}}`),
		"pages.json": []byte(`{"type": "object", "x-merge-delete": "ask", "properties": {"text": {"type": "string"}}}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	g := start(t, func(cfg *Config) { cfg.Schema = schema })
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	t.Cleanup(cancel)
	c := &collision{t: t, ctx: ctx, line: newLine(t, g.address)}
	c.ada = device(t, c.line.listener.Addr().String(), "ada").Space("board", client.SpaceOptions{})
	c.ben = device(t, g.address, "ben").Space("board", client.SpaceOptions{})
	w, err := c.ada.Collection("cards").Create(ctx, "c", map[string]any{"title": "first", "price": "first"})
	applied(t, ctx, w, err)
	settle(t, ctx, c.ada, c.ben)
	return c
}

// edit lets ada give a field a value while she is offline, then ben another one,
// whose commit comes first.
func (c *collision) edit(field, adas, bens string) {
	c.t.Helper()
	c.line.cut()
	w, err := c.ada.Collection("cards").Update(c.ctx, "c", func(e *client.Edit) { e.Set(field, adas) })
	made(c.t, w, err)
	time.Sleep(2 * time.Millisecond) // ben's edit is the later one, by the clock too
	w, err = c.ben.Collection("cards").Update(c.ctx, "c", func(e *client.Edit) { e.Set(field, bens) })
	applied(c.t, c.ctx, w, err)
	c.line.mend()
	c.agree(field, bens)
}

// agree waits until both devices have everything, and checks what they show.
func (c *collision) agree(field, want string) {
	c.t.Helper()
	settle(c.t, c.ctx, c.ada, c.ben)
	for user, s := range map[string]*client.Space{"ada": c.ada, "ben": c.ben} {
		if got := s.Collection("cards").Get("c").Get(field); got != want {
			c.t.Errorf("%s sees the %s %.20q, want %.20q", user, field, got, want)
		}
	}
	if c.ada.StateHash() != c.ben.StateHash() {
		c.t.Error("the devices differ")
	}
}

// TestKeepMine shows that who has lost an edit finds its value, however long,
// and can make it stand.
func TestKeepMine(t *testing.T) {
	for name, mine := range map[string]string{
		"short": "by ada",
		"long":  strings.Repeat("by ada ", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			c := collide(t)
			c.edit("title", mine, "by ben")
			conflicts := c.ada.Conflicts()
			if len(conflicts) != 1 || len(c.ben.Conflicts()) != 0 {
				t.Fatalf("ada was told of %d conflicts and ben of %d, want 1 and 0", len(conflicts), len(c.ben.Conflicts()))
			}
			if apart := conflicts[0].Lost.Blob != (protocol.BlobID{}); apart != (len(mine) > protocol.MaxInlineConflict) {
				t.Errorf("a value of %d bytes is kept apart: %v", len(mine), apart)
			}
			lost, err := conflicts[0].LostValue(c.ctx)
			if err != nil || lost != protocol.StringValue(mine) {
				t.Fatalf("the lost value is %.20v, %v", lost, err)
			}
			w, err := conflicts[0].KeepMine(c.ctx)
			applied(t, c.ctx, w, err)
			c.agree("title", mine)
			if len(c.ada.Conflicts()) != 0 || len(c.ben.Conflicts()) != 0 {
				t.Error("a conflict is left over")
			}
		})
	}
}

// TestDismiss shows that a conflict that was dismissed is gone, and nothing else.
func TestDismiss(t *testing.T) {
	c := collide(t)
	c.edit("title", "by ada", "by ben")
	for _, conflict := range c.ada.Conflicts() {
		if err := conflict.Dismiss(); err != nil {
			t.Fatal(err)
		}
	}
	c.agree("title", "by ben")
	if len(c.ada.Conflicts()) != 0 {
		t.Error("the conflict is still there")
	}
}

// TestAsk shows that a conflict which waits for a person is seen by everybody,
// can be closed by anybody, with any of its values, however long, and is then
// closed everywhere.
func TestAsk(t *testing.T) {
	long := strings.Repeat("a long price ", 500)
	for name, example := range map[string]struct {
		adas, bens string
		resolve    func(context.Context, *client.OpenConflict) (*client.Write, error)
		want       string
	}{
		"mine": {"by ada", "by ben",
			func(ctx context.Context, o *client.OpenConflict) (*client.Write, error) { return o.KeepMine(ctx) }, "by ada"},
		"theirs": {"by ada", "by ben",
			func(ctx context.Context, o *client.OpenConflict) (*client.Write, error) { return o.KeepTheirs(ctx) }, "by ben"},
		"another": {"by ada", "by ben",
			func(ctx context.Context, o *client.OpenConflict) (*client.Write, error) {
				return o.Resolve(ctx, "by both")
			}, "by both"},
		"long mine": {"ada's " + long, "by ben",
			func(ctx context.Context, o *client.OpenConflict) (*client.Write, error) { return o.KeepMine(ctx) }, "ada's " + long},
		"long theirs": {"by ada", "ben's " + long,
			func(ctx context.Context, o *client.OpenConflict) (*client.Write, error) { return o.KeepTheirs(ctx) }, "ben's " + long},
	} {
		for _, who := range []string{"ada", "ben"} {
			t.Run(name+" by "+who, func(t *testing.T) {
				c := collide(t)
				c.edit("price", example.adas, example.bens)
				s := map[string]*client.Space{"ada": c.ada, "ben": c.ben}[who]
				if len(c.ada.OpenConflicts()) != 1 || len(c.ben.OpenConflicts()) != 1 || len(c.ada.Conflicts()) != 0 {
					t.Fatalf("ada sees %d open conflicts and ben %d, want 1 each; %d settled",
						len(c.ada.OpenConflicts()), len(c.ben.OpenConflicts()), len(c.ada.Conflicts()))
				}
				open := s.OpenConflicts()[0]
				if open.Collection != "cards" || open.Record != "c" || open.Field != "price" {
					t.Errorf("the conflict is about %s %s %s", open.Collection, open.Record, open.Field)
				}
				w, err := example.resolve(c.ctx, open)
				applied(t, c.ctx, w, err)
				c.agree("price", example.want)
				if len(c.ada.OpenConflicts()) != 0 || len(c.ben.OpenConflicts()) != 0 {
					t.Error("the conflict is still open")
				}
			})
		}
	}
}

// TestAskAgain shows that a further collision joins the conflict that is open,
// with its value, however long.
func TestAskAgain(t *testing.T) {
	c := collide(t)
	further := strings.Repeat("ada once more ", 500)
	c.edit("price", "by ada", "by ben")
	c.edit("price", further, "by ben again")
	for user, s := range map[string]*client.Space{"ada": c.ada, "ben": c.ben} {
		open := s.OpenConflicts()
		if len(open) != 1 || len(open[0].Others) != 1 {
			t.Fatalf("%s sees %+v, want one conflict with one further value", user, open)
		}
		if got, err := open[0].OtherValue(c.ctx, 0); err != nil || got != protocol.StringValue(further) {
			t.Errorf("%s finds the further value %.20v, %v", user, got, err)
		}
		if got, err := open[0].LostValue(c.ctx); err != nil || got != protocol.StringValue("by ada") {
			t.Errorf("%s finds the lost value %.20v, %v", user, got, err)
		}
	}
	w, err := c.ada.OpenConflicts()[0].KeepTheirs(c.ctx)
	applied(t, c.ctx, w, err)
	c.agree("price", "by ben again")
}

// TestAskDelete shows the same where the question is whether a record is deleted.
func TestAskDelete(t *testing.T) {
	long := strings.Repeat("a long text ", 500)
	for name, example := range map[string]struct {
		adaDeletes, keepMine bool
		want                 any // the text; nil if the page is gone
	}{
		"hers":         {true, true, nil},
		"his edit":     {true, false, long},
		"her edit":     {false, true, long},
		"his deletion": {false, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := collide(t)
			adas, bens := c.ada.Collection("pages"), c.ben.Collection("pages")
			w, err := adas.Create(c.ctx, "p", map[string]any{"text": "first"})
			applied(t, c.ctx, w, err)
			settle(t, c.ctx, c.ada, c.ben)
			c.line.cut()
			editor, deleter := adas, bens
			if example.adaDeletes {
				editor, deleter = bens, adas
			}
			w, err = editor.Update(c.ctx, "p", func(e *client.Edit) { e.Set("text", long) })
			made(t, w, err)
			w, err = deleter.Delete(c.ctx, "p")
			made(t, w, err)
			if err := c.ben.Drained(c.ctx); err != nil {
				t.Fatal(err)
			}
			c.line.mend()
			settle(t, c.ctx, c.ada, c.ben)
			open := c.ada.OpenConflicts()
			if len(open) != 1 || open[0].Field != "" || open[0].Record != "p" {
				t.Fatalf("ada sees %+v, want one conflict about the page", open)
			}
			keep := open[0].KeepTheirs
			if example.keepMine {
				keep = open[0].KeepMine
			}
			w, err = keep(c.ctx)
			applied(t, c.ctx, w, err)
			settle(t, c.ctx, c.ada, c.ben)
			for user, page := range map[string]*client.Record{"ada": adas.Get("p"), "ben": bens.Get("p")} {
				var got any
				if page != nil {
					got = page.Get("text")
				}
				if got != example.want {
					t.Errorf("%s sees the text %.20v, want %.20v", user, got, example.want)
				}
			}
			if len(c.ada.OpenConflicts()) != 0 || len(c.ben.OpenConflicts()) != 0 {
				t.Error("the conflict is still open")
			}
		})
	}
}
