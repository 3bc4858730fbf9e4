package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/internal/engine"
	"github.com/tidegate/tidegate/protocol"
)

// mover is a test of moving a store under devices that go on.
type mover struct {
	t   *testing.T
	ctx context.Context
	dir string
	// clients are those of the devices that were opened, in order.
	clients []*client.Client
}

func newMover(t *testing.T) *mover {
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	t.Cleanup(cancel)
	return &mover{t: t, ctx: ctx, dir: t.TempDir()}
}

// open opens a space on a new device.
func (m *mover) open(address, name string) *client.Space {
	m.t.Helper()
	c, err := client.Open(m.ctx, client.Options{
		URL: "http://" + address, Store: client.MemoryStore(),
		Backoff: client.Backoff{Min: 5 * time.Millisecond, Max: 100 * time.Millisecond},
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { c.Close() })
	m.clients = append(m.clients, c)
	return c.Space(name, client.SpaceOptions{})
}

// edit makes n mutations, some of which create and some of which change; it does
// not wait for the gateway.
func (m *mover) edit(space *client.Space, who string, n int) {
	m.t.Helper()
	cards := space.Collection("cards")
	for i := range n {
		id := fmt.Sprintf("%s-%d-%d", who, n, i)
		if _, err := cards.Create(m.ctx, id, map[string]any{"title": id, "n": i}); err != nil {
			m.t.Fatal(err)
		}
		if i%3 == 0 {
			if _, err := cards.Update(m.ctx, id, func(e *client.Edit) { e.Set("title", strings.Repeat(id, 40)) }); err != nil {
				m.t.Fatal(err)
			}
		}
	}
}

// drained waits until queues are empty and all devices are where the first is.
func (m *mover) drained(devices ...*client.Space) {
	m.t.Helper()
	for _, d := range devices {
		if err := d.Drained(m.ctx); err != nil {
			m.t.Fatalf("a queue does not drain: %v %+v", err, d.Status())
		}
	}
	head := uint64(0)
	for _, d := range devices {
		head = max(head, d.Status().Head, d.Cursor().Seq)
	}
	for _, d := range devices {
		if err := d.WaitFor(m.ctx, head); err != nil {
			m.t.Fatalf("a device does not reach %d: %v %+v", head, err, d.Status())
		}
		if d.StateHash() != devices[0].StateHash() {
			m.t.Fatal("two devices have different states")
		}
	}
}

// must runs the program and demands that it did what it was asked.
func (m *mover) must(args ...string) string {
	m.t.Helper()
	r := tidegate(m.t, m.dir, nil, args...)
	if r.status != 0 {
		m.t.Fatalf("tidegate %s: exit status %d\n%s%s", strings.Join(args, " "), r.status, r.stdout, r.stderr)
	}
	return r.stdout
}

func (m *mover) end(g *process) {
	m.t.Helper()
	if status := g.end(m.t); status != 0 {
		m.t.Fatalf("exit status %d\n%s", status, g.said())
	}
}

// moved lets devices work on one store, moves it to another while they are cut
// off and go on editing, and lets them come back there with what they have.
func (m *mover) moved(from, to string, env []string) {
	t := m.t
	t.Helper()
	flags := []string{"--limit-connect-rate", "0"}
	g := serve(t, m.dir, env, append(flags, "--listen", "127.0.0.1:0", "--store", from)...)
	boards := []*client.Space{m.open(g.address, "board"), m.open(g.address, "board")}
	other := m.open(g.address, "other")
	for n, d := range boards {
		m.edit(d, fmt.Sprint("d", n), 20)
	}
	m.edit(other, "o", 3)
	m.drained(boards...)
	m.drained(other)
	if from[:5] == "file:" {
		r := tidegate(t, m.dir, env, "export", "x.tide", "--store", from)
		if r.status != 1 || !strings.Contains(r.stderr, "in use") || !strings.Contains(r.stderr, "a gateway") {
			t.Errorf("exporting from under a gateway: exit status %d\n%s", r.status, r.stderr)
		}
	}
	devices, cursors, address := []protocol.DeviceID{boards[0].Device(), boards[1].Device()}, boards[0].Cursor(), g.address
	m.end(g)
	for n, d := range boards {
		m.edit(d, fmt.Sprint("offline", n), 5)
	}

	must := func(args ...string) result {
		t.Helper()
		r := tidegate(t, m.dir, env, args...)
		if r.status != 0 {
			t.Fatalf("tidegate %s: exit status %d\n%s%s", strings.Join(args, " "), r.status, r.stdout, r.stderr)
		}
		return r
	}
	must("export", "all.tide", "--store", from)
	must("import", "all.tide", "--store", to, "--json", "report.json")
	if r := must("import", "all.tide", "--store", to, "--check"); !strings.Contains(r.stdout, "the same") {
		t.Errorf("check: %s", r.stdout)
	}
	var report struct {
		OK              bool
		Spaces, Commits int
		SHA256          string
	}
	data, err := os.ReadFile(filepath.Join(m.dir, "report.json"))
	if err == nil {
		err = json.Unmarshal(data, &report)
	}
	if err != nil || !report.OK || report.Spaces != 2 || report.Commits == 0 || len(report.SHA256) != 64 {
		t.Errorf("the report: %s, %v", data, err)
	}

	g, err = relaunchWith(m.dir, env, append(flags, "--listen", address, "--store", to)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.cmd.Process.Kill(); <-g.exited })
	m.drained(boards...)
	for n, d := range boards {
		if d.Device() != devices[n] {
			t.Errorf("device %d was taken for that of another history", n)
		}
		if rejected := d.Rejected(); len(rejected) > 0 {
			t.Errorf("device %d: rejected because of %v", n, rejected[0].Err())
		}
		if d.Cursor().Seq <= cursors.Seq {
			t.Errorf("device %d is at %v, and was at %v", n, d.Cursor(), cursors)
		}
	}
	// A device that has never been there sees all of it.
	fresh := m.open(address, "board")
	if err := fresh.WaitFor(m.ctx, boards[0].Cursor().Seq); err != nil {
		t.Fatal(err)
	}
	m.drained(append(boards, fresh)...)
	if n := len(fresh.Confirmed()); n != 50 {
		t.Errorf("%d records, and 50 were made", n)
	}
	m.end(g)
}

// relaunchWith is relaunch with an environment.
func relaunchWith(dir string, env []string, args ...string) (gateway *process, err error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if gateway, err = launch(dir, "http", env, args...); err == nil {
			return gateway, nil
		}
	}
	return nil, err
}

// TestMoveFile moves from one file to another.
func TestMoveFile(t *testing.T) {
	newMover(t).moved("file:a.db", "file:b.db", nil)
}

// TestMoveTable moves from a file to a table, and from a table to a file.
func TestMoveTable(t *testing.T) {
	engine.Each(t, func(t *testing.T, e *engine.Engine) {
		m := newMover(t)
		table := func() string {
			store := fmt.Sprintf("dynamodb://%s?region=eu-central-1&endpoint=%s", e.Table(t), e.Endpoint)
			if r := tidegate(t, m.dir, e.Env(), "table", "create", "--allow-missing", "--store", store); r.status != 0 {
				t.Fatal(r.stderr)
			}
			return store
		}
		a, b := table(), table()
		m.moved("file:a.db", a, e.Env())
		for _, args := range [][]string{
			{"export", "back.tide", "--store", a},
			{"import", "back.tide", "--store", "file:back.db"},
			{"import", "back.tide", "--store", "file:back.db", "--check"},
			{"import", "back.tide", "--store", b},
			{"import", "back.tide", "--store", b, "--check"},
			{"import", "back.tide", "--store", a, "--check"},
		} {
			if r := tidegate(t, m.dir, e.Env(), args...); r.status != 0 {
				t.Fatalf("tidegate %s: exit status %d\n%s%s", strings.Join(args, " "), r.status, r.stdout, r.stderr)
			}
		}
	})
}

// TestExportLive exports a table while devices write to it: what comes out is a
// moment of it. A device that knows only the copy can go on with the table.
func TestExportLive(t *testing.T) {
	engine.Each(t, func(t *testing.T, e *engine.Engine) {
		m := newMover(t)
		store := fmt.Sprintf("dynamodb://%s?region=eu-central-1&endpoint=%s", e.Table(t), e.Endpoint)
		if r := tidegate(t, m.dir, e.Env(), "table", "create", "--allow-missing", "--store", store); r.status != 0 {
			t.Fatal(r.stderr)
		}
		flags := []string{"--limit-connect-rate", "0", "--listen", "127.0.0.1:0", "--store", store}
		g := serve(t, m.dir, e.Env(), flags...)
		address := g.address
		flags[3] = address
		writer := m.open(address, "board")
		writerClient := m.clients[len(m.clients)-1]
		m.edit(writer, "before", 30)
		m.drained(writer)
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				w, err := writer.Collection("cards").Create(m.ctx, fmt.Sprint("meanwhile", n), map[string]any{"n": n})
				if err == nil {
					_, err = w.Durable(m.ctx)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		}()
		r := tidegate(t, m.dir, e.Env(), "export", "live.tide", "--store", store)
		close(stop)
		<-stopped
		if r.status != 0 {
			t.Fatal(r.stderr)
		}
		m.must("import", "live.tide", "--store", "file:copy.db")
		m.drained(writer)
		m.end(g)

		again := func(args ...string) {
			t.Helper()
			var err error
			if g, err = relaunchWith(m.dir, e.Env(), args...); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { g.cmd.Process.Kill(); <-g.exited })
		}
		elsewhere := writer.Cursor().Seq
		if err := writerClient.Close(); err != nil { // it knows more than the copy
			t.Fatal(err)
		}
		again("--limit-connect-rate", "0", "--listen", address, "--store", "file:copy.db")
		reader := m.open(address, "board")
		for reader.Status().State != client.SpaceLive || reader.Cursor().Seq < reader.Status().Head {
			if m.ctx.Err() != nil {
				t.Fatalf("the copy is not served: %+v", reader.Status())
			}
			time.Sleep(time.Millisecond)
		}
		device, copied := reader.Device(), reader.Cursor().Seq
		m.end(g)
		again(flags...)
		if err := reader.WaitFor(m.ctx, elsewhere); err != nil {
			t.Fatalf("the copy's device does not go on: %v %+v", err, reader.Status())
		}
		fresh := m.open(address, "board")
		if err := fresh.WaitFor(m.ctx, elsewhere); err != nil {
			t.Fatal(err)
		}
		m.drained(reader, fresh)
		if reader.Device() != device {
			t.Error("to the table, the copy is another history")
		}
		t.Logf("%d commits in the copy, %d in the table in the end", copied, elsewhere)
	})
}

// TestKillImport kills imports and exports at random moments and runs them again.
func TestKillImport(t *testing.T) {
	m := newMover(t)
	g := serve(t, m.dir, nil, "--listen", "127.0.0.1:0", "--store", "file:a.db", "--limit-connect-rate", "0")
	for n := range 4 {
		d := m.open(g.address, fmt.Sprint("space", n))
		for range 8 {
			m.edit(d, "d", 6+n)
		}
		m.drained(d)
	}
	m.end(g)
	m.must("export", "whole.tide", "--store", "file:a.db")
	random := rand.New(rand.NewPCG(1, 1))
	killed := func(within time.Duration, args ...string) {
		cmd := exec.Command(binary, args...)
		cmd.Dir, cmd.Env = m.dir, environment(m.dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(random.Int64N(int64(within)))) // the moment is the test
		cmd.Process.Kill()
		cmd.Wait()
	}
	for round := range 6 {
		store, file := fmt.Sprintf("file:b%d.db", round), fmt.Sprintf("e%d.tide", round)
		for range 4 {
			killed(60*time.Millisecond, "import", "whole.tide", "--store", store)
			killed(40*time.Millisecond, "export", file, "--store", "file:a.db")
		}
		m.must("import", "whole.tide", "--store", store)
		m.must("import", "whole.tide", "--store", store, "--check")
		if r := tidegate(t, m.dir, nil, "export", file, "--store", "file:a.db"); r.status != 0 && !strings.Contains(r.stderr, "complete already") {
			t.Fatalf("continuing the export: %s", r.stderr)
		}
		m.must("import", file, "--store", "file:a.db", "--check")
	}
}

// TestTransferErrors asks for what cannot be.
func TestTransferErrors(t *testing.T) {
	m := newMover(t)
	g := serve(t, m.dir, nil, "--listen", "127.0.0.1:0", "--store", "file:a.db")
	d := m.open(g.address, "board")
	m.edit(d, "d", 5)
	m.drained(d)
	m.end(g)
	m.must("export", "whole.tide", "--store", "file:a.db")
	whole, err := os.ReadFile(filepath.Join(m.dir, "whole.tide"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, m.dir, "cut.tide", string(whole[:len(whole)*2/3]))
	damaged := bytes.Clone(whole)
	damaged[len(damaged)/2] ^= 1
	write(t, m.dir, "damaged.tide", string(damaged))
	write(t, m.dir, "letter.txt", "Dear all,\nthis is not an export.\n")
	write(t, m.dir, "newer.tide", "\x20"+string(whole[1:]))
	for _, c := range []struct {
		args   []string
		status int
		says   []string
	}{
		{[]string{"export", "x.tide", "--store", "memory:"}, 2, []string{"memory:", "file:", "dynamodb:"}},
		{[]string{"import", "whole.tide", "--store", "memory:"}, 2, []string{"memory:", "file:", "dynamodb:"}},
		{[]string{"export", "x.tide", "--store", "file:none.db"}, 1, []string{"none.db", "no such file"}},
		{[]string{"export", "x.tide", "--store", "a.db"}, 2, []string{"a.db", "file:PATH"}},
		{[]string{"export", "no/x.tide", "--store", "file:a.db"}, 1, []string{"no/x.tide", "no such file"}},
		{[]string{"export", "whole.tide", "--store", "file:a.db"}, 1, []string{"whole.tide", "complete already"}},
		{[]string{"export", "letter.txt", "--store", "file:a.db"}, 1, []string{"letter.txt", "not a Tidegate export"}},
		{[]string{"export", "x.tide", "--store", "file:a.db", "--space", "nowhere"}, 1, []string{`no space "nowhere"`}},
		{[]string{"export", "cut.tide", "--store", "file:a.db", "--space", "board"}, 1, []string{"cut.tide", "every space", `space "board"`}},
		{[]string{"import", "none.tide", "--store", "file:x.db"}, 1, []string{"none.tide", "no such file"}},
		{[]string{"import", "letter.txt", "--store", "file:x.db"}, 1, []string{"letter.txt", "not a Tidegate export"}},
		{[]string{"import", "newer.tide", "--store", "file:x.db"}, 1, []string{"newer.tide", "newer Tidegate"}},
		{[]string{"import", "cut.tide", "--store", "file:x.db"}, 1, []string{"cut.tide", "cut off", "byte", `space "board"`}},
		{[]string{"import", "damaged.tide", "--store", "file:x.db"}, 1, []string{"damaged.tide", "damaged", "byte", `space "board"`, "SHA-256"}},
		{[]string{"import", "whole.tide", "--store", "file:y.db", "--check"}, 1, []string{"y.db", "no such file"}},
		{[]string{"import", "whole.tide", "--store", "file:x.db", "--check"}, 1, []string{`space "board"`, "not all come"}},
		{[]string{"import", "whole.tide", "--store", "file:x.db", "--space", "nowhere"}, 1, []string{`no space "nowhere"`}},
	} {
		r := tidegate(t, m.dir, nil, c.args...)
		for _, want := range c.says {
			if !strings.Contains(r.stderr, want) {
				t.Errorf("tidegate %s does not say %q:\n%s", strings.Join(c.args, " "), want, r.stderr)
			}
		}
		if r.status != c.status || strings.Contains(r.stderr, "goroutine ") || strings.Count(r.stderr, "\n") > 12 {
			t.Errorf("tidegate %s: exit status %d\n%s", strings.Join(c.args, " "), r.status, r.stderr)
		}
	}
	// What was imported in part is served to nobody, and told so; the rest of the
	// store is.
	g = serve(t, m.dir, nil, "--listen", "127.0.0.1:0", "--store", "file:x.db")
	half, other := m.open(g.address, "board"), m.open(g.address, "other")
	m.edit(other, "o", 1)
	m.drained(other)
	for half.Status().Err == nil {
		if m.ctx.Err() != nil {
			t.Fatalf("half a space: %+v", half.Status())
		}
		time.Sleep(time.Millisecond)
	}
	if text := fmt.Sprint(half.Status().Err); !strings.Contains(text, "moved here") || len(half.Confirmed()) > 0 {
		t.Errorf("half a space: %s, %d records", text, len(half.Confirmed()))
	}
	m.end(g)
	m.must("import", "whole.tide", "--store", "file:x.db")
	m.must("import", "whole.tide", "--store", "file:x.db", "--check")
}

// TestPipe exports into an import.
func TestPipe(t *testing.T) {
	m := newMover(t)
	g := serve(t, m.dir, nil, "--listen", "127.0.0.1:0", "--store", "file:a.db")
	d := m.open(g.address, "board")
	m.edit(d, "d", 5)
	m.drained(d)
	m.end(g)
	from := exec.CommandContext(m.ctx, binary, "export", "-", "--store", "file:a.db")
	to := exec.CommandContext(m.ctx, binary, "import", "-", "--store", "file:b.db")
	var said [2]bytes.Buffer
	var err error
	for n, cmd := range []*exec.Cmd{from, to} {
		cmd.Dir, cmd.Env, cmd.Stderr = m.dir, environment(m.dir), &said[n]
	}
	if to.Stdin, err = from.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := from.Start(); err != nil {
		t.Fatal(err)
	}
	output, err := to.Output()
	if err := from.Wait(); err != nil {
		t.Errorf("export: %v", err)
	}
	if err != nil || !strings.Contains(string(output), "imported 1 space, ") {
		t.Errorf("import: %v\n%s%s%s", err, output, said[0].String(), said[1].String())
	}
	m.must("export", "b.tide", "--store", "file:b.db")
	m.must("import", "b.tide", "--store", "file:a.db", "--check")
}
