package merge

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// SchemaError says what is wrong in a schema set, where, and what is allowed.
type SchemaError struct {
	// File is the file's name in the set.
	File string
	// Path is the JSON pointer (RFC 6901) of what is wrong; "" is the whole file.
	Path string
	// Problem says what is wrong, Allowed what would be right (it may be empty).
	Problem string
	Allowed string
}

// Error returns one line.
func (e *SchemaError) Error() string {
	where := e.File
	if e.Path != "" {
		where += " at " + e.Path
	}
	if e.Allowed == "" {
		return where + ": " + e.Problem
	}
	return fmt.Sprintf("%s: %s; allowed: %s", where, e.Problem, e.Allowed)
}

// maxSchemaErrors bounds how many errors are reported of one schema set.
const maxSchemaErrors = 50

// problems collects what is wrong in a schema set.
type problems struct {
	list []*SchemaError
}

func (p *problems) add(file, path, allowed, problem string, args ...any) {
	p.list = append(p.list, &SchemaError{File: file, Path: path, Problem: fmt.Sprintf(problem, args...), Allowed: allowed})
}

func (p *problems) none() bool { return len(p.list) == 0 }

// err joins the problems, in order of file and path.
func (p *problems) err() error {
	slices.SortFunc(p.list, func(a, b *SchemaError) int {
		return cmp.Or(strings.Compare(a.File, b.File), strings.Compare(a.Path, b.Path), strings.Compare(a.Problem, b.Problem))
	})
	var all []error
	for i, problem := range p.list {
		if i > 0 && *problem == *p.list[i-1] {
			continue
		}
		if len(all) == maxSchemaErrors {
			all = append(all, errors.New("and more"))
			break
		}
		all = append(all, problem)
	}
	return errors.Join(all...)
}
