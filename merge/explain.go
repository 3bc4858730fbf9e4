package merge

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/tidegate/tidegate/protocol"
)

// Explain writes, in words, what becomes of concurrent edits in each field of
// each collection.
func (s *Schema) Explain(w io.Writer) error {
	out := bufio.NewWriter(w)
	if s == nil {
		fmt.Fprintln(out, "No schema: any collection, any field.")
		fmt.Fprintf(out, "Every field: %s\n", inWords(protocol.PolicyLWW))
		fmt.Fprintf(out, "Deletes: %s\n", deleteInWords(protocol.PolicyDeleteWins))
		return out.Flush()
	}
	fmt.Fprintf(out, "Schema version %d, fingerprint %x.\n", s.ref.Version, s.ref.Fingerprint)
	for _, c := range s.collections {
		c.explain(out)
	}
	return out.Flush()
}

func (c *Collection) explain(out *bufio.Writer) {
	fmt.Fprintf(out, "\n%s", c.Name)
	if c.Description != "" {
		fmt.Fprintf(out, ": %s", c.Description)
	}
	fmt.Fprintf(out, "\n  Delete against a concurrent update (%s): %s\n", c.Delete, deleteInWords(c.Delete))
	for _, f := range c.fields {
		f.explain(out)
	}
	if root := c.interior[""]; root.compiled == nil || root.compiled.AdditionalProperties != false {
		fmt.Fprintf(out, "  any other field (lww): %s\n", inWords(protocol.PolicyLWW))
	}
	for i := range c.checks {
		check := &c.checks[i]
		fmt.Fprintf(out, "  An edit after which this does not hold is rejected: %s\n    %q\n", check.rule.source, check.message)
	}
}

func (f *Field) explain(out *bufio.Writer) {
	what := strings.Join(f.Types, " or ")
	if what == "" {
		what = "any value"
	}
	fmt.Fprintf(out, "  %s (%s, %s): %s\n", f.Path, what, f.Policy, inWords(f.Policy))
	if f.members != nil {
		others := make([]string, 0, len(f.members))
		for _, member := range f.members {
			if member != f {
				others = append(others, member.Path)
			}
		}
		fmt.Fprintf(out, "    Wins or loses as one with %s (group %q).\n", strings.Join(others, ", "), f.Group)
	}
	if f.ask != nil {
		fmt.Fprintf(out, "    A person is asked instead if %s, or if that cannot be told.\n", f.ask.source)
	}
}

// InWords says what becomes of concurrent edits of the field.
func (f *Field) InWords() string { return inWords(f.Policy) }

// DeleteInWords says what a delete and a concurrent update do to each other.
func (c *Collection) DeleteInWords() string { return deleteInWords(c.Delete) }

// inWords says what a policy does with concurrent edits.
func inWords(policy protocol.Policy) string {
	switch policy {
	case protocol.PolicyLWW:
		return "the later edit wins; the other value is kept in a conflict that its author is told of."
	case protocol.PolicyFirst:
		return "the edit that was committed first stays; the later one is kept in a conflict that its author is told of."
	case protocol.PolicyStrict:
		return "the edit that comes second is rejected as stale, with its whole mutation."
	case protocol.PolicyAsk:
		return "the edit that was committed first stays until a person has decided; the conflict is open to all who see the record."
	case protocol.PolicyCounter:
		return "all additions count."
	case protocol.PolicyMax:
		return "the greatest value stays."
	case protocol.PolicyMin:
		return "the smallest value stays."
	case protocol.PolicySet:
		return "elements are merged one by one; an addition that a removal has not seen survives it."
	case protocol.PolicyList:
		return "elements are merged one by one: the later edit of an element wins, the later move places it, a removal goes before an edit; the value that gives way is kept in a conflict."
	}
	return string(policy)
}

// deleteInWords says what a delete and a concurrent update do to each other.
func deleteInWords(policy protocol.Policy) string {
	switch policy {
	case protocol.PolicyUpdateWins:
		return "the record lives, or comes back; whoever deleted it is told."
	case protocol.PolicyAsk:
		return "what was committed first stays until a person has decided."
	}
	return "the record is deleted; the values that go with it are kept in conflicts that their authors are told of."
}
