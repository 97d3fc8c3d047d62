package ancestry

// LoseEvents does what is done when the kernel says that it threw events away.
func (t *Tracker) LoseEvents() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lostSome()
}
