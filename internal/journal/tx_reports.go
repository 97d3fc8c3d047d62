package journal

import "fmt"

// reportCost is what a report takes on disk beside its data: its key twice, and what SQLite
// adds.
const reportCost = 2*keyBytes + 40

// account notes what the alert log is accounted for, and appends the reports.
func (t *tx) account(r *request) error {
	// Done is within what was committed before: nobody knows a cursor of this transaction.
	if err := t.advance(r.done.Seq); err != nil {
		return err
	}
	for _, report := range r.reports {
		if err := t.addReport(report); err != nil {
			return fmt.Errorf("write report %s: %w", report.ID, err)
		}
	}
	return t.keepStates(r.states)
}

// keepStates writes or deletes states.
func (t *tx) keepStates(states []State) error {
	for _, s := range states {
		var err error
		if s.Data == nil {
			err = t.exec("DELETE FROM states WHERE key = ?", s.Key)
		} else {
			err = t.exec("INSERT OR REPLACE INTO states VALUES (?, ?)", s.Key, s.Data)
		}
		if err != nil {
			return fmt.Errorf("keep the state %q: %w", s.Key, err)
		}
	}
	return nil
}

// advance moves done.
func (t *tx) advance(done uint64) error {
	if done <= t.done {
		return nil
	}
	for ; t.done < done; t.done++ {
		t.pendingBytes -= t.w.pendingSizes[t.done-t.w.done]
		t.budget++
	}
	return t.begin() // counters are written with the commit
}

// addReport writes a report.
func (t *tx) addReport(r Report) error {
	t.parts.kept, t.parts.literal = t.parts.kept[:0], t.parts.literal[:0]
	if err := eachField(r.Data, t.addField); err != nil {
		return err
	}
	t.parts.flush()
	kept := t.parts.kept
	m := reportMeta{seq: t.reportNext, urgent: r.Urgent, size: int64(len(r.Data)), cost: int64(len(kept)) + reportCost}
	urgent := int64(0)
	if r.Urgent {
		urgent = 1
		t.urgent = t.urgent.plus(m)
	}
	t.counters.reports = t.counters.reports.plus(m)
	err := t.exec("INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		signed(m.seq), []byte(keyOf(r.ID)), int64(r.Revision), urgent, t.now, m.size, m.cost, notNull(kept))
	t.reports = append(t.reports, ReportEntry{Cursor: t.w.s.cursor(m.seq), Report: r})
	t.reportNext++
	t.bytes += m.size
	t.written += m.cost
	t.budget += 4
	return err
}

// addField adds a field to the report that is being put together: itself, or a reference.
func (t *tx) addField(field []byte) error {
	if len(field) < minContent || len(field) > maxContent {
		t.parts.literal = append(t.parts.literal, field...)
		return nil
	}
	c, hash, seen := t.w.s.content.find(field)
	switch {
	case c != nil:
		if err := t.refresh(c); err != nil {
			return err
		}
	case seen:
		c = &content{id: t.contentNext, hash: hash, epoch: epochOf(t.reportNext), data: append([]byte(nil), field...)}
		t.contentNext++
		if err := t.exec("INSERT INTO content VALUES (?, ?, 0, ?)", c.id, c.epoch, c.data); err != nil {
			return err
		}
		t.written += int64(len(field))
		t.made = append(t.made, c)
		t.w.s.content.add(c)
	default:
		t.parts.literal = append(t.parts.literal, field...)
		return nil
	}
	t.parts.refer(c.id)
	return nil
}

// refresh notes that content is referred to in this epoch.
func (t *tx) refresh(c *content) error {
	epoch := epochOf(t.reportNext)
	if c.epoch >= epoch {
		return nil
	}
	t.touched = append(t.touched, touch{c, c.epoch})
	c.epoch = epoch
	return t.exec("UPDATE content SET epoch = ? WHERE id = ?", epoch, c.id)
}
