package protocol

// A verdict is [counter, seq, result], where result is
//
//	outcome                   every op has this outcome, none was rejected
//	[outcome, [op, …]]        op by op: an outcome, or [code, message, field] if rejected
//	[code, message, field]    rejected as a whole

func (w *writer) verdicts(list []Verdict) {
	w.array(len(list))
	for i := range list {
		w.array(3)
		w.uint(list[i].Counter)
		w.uint(list[i].Seq)
		w.result(&list[i])
	}
}

func (w *writer) result(v *Verdict) {
	switch {
	case len(v.Ops) > 0:
		w.array(2)
		w.uint(uint64(v.Outcome))
		w.array(len(v.Ops))
		for i := range v.Ops {
			op := &v.Ops[i]
			if op.Outcome == Rejected {
				w.rejection(op.Code, op.Message, op.Field)
				continue
			}
			w.uint(uint64(op.Outcome))
		}
	case v.Outcome == Rejected:
		w.rejection(v.Code, v.Message, v.Field)
	default:
		w.uint(uint64(v.Outcome))
	}
}

func (w *writer) rejection(code RejectCode, message, field string) {
	w.array(3)
	w.string(string(code))
	w.string(message)
	w.string(field)
}

func (r *reader) verdicts(field string) []Verdict {
	list := allocate[Verdict](r, field, r.array(field, 4))
	for i := range list {
		r.tuple(field, 3)
		list[i].Counter = r.uint("counter")
		list[i].Seq = r.uint("seq")
		r.result(&list[i])
	}
	return list
}

func (r *reader) result(v *Verdict) {
	if r.peek() == tokenInt {
		v.Outcome = r.outcome()
		return
	}
	switch n := r.array("result", 1); n {
	case 2:
		if v.Outcome = Outcome(r.small("outcome", uint64(Rejected))); r.err != nil {
			return
		}
		count := r.array("ops", 1)
		if count == 0 {
			r.fail("ops", "there is none")
		}
		v.Ops = allocate[OpVerdict](r, "ops", count)
		for i := range v.Ops {
			op := &v.Ops[i]
			if r.peek() == tokenInt {
				op.Outcome = r.outcome()
				continue
			}
			r.tuple("op", 3)
			op.Outcome = Rejected
			op.Code, op.Message, op.Field = r.rejection()
		}
	case 3:
		v.Outcome = Rejected
		v.Code, v.Message, v.Field = r.rejection()
	default:
		r.fail("result", "expected 2 or 3 elements, found %d", n)
	}
}

// outcome reads an outcome other than Rejected, which never stands alone.
func (r *reader) outcome() Outcome {
	return Outcome(r.small("outcome", uint64(Conflicted)))
}

func (r *reader) rejection() (code RejectCode, message, field string) {
	return RejectCode(r.string("code")), r.string("message"), r.string("field")
}
