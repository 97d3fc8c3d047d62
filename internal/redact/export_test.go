package redact

// Lists is how many lists of probes there are.
func Lists() int { return len(suspicions.lists) }

// Suspect reports whether a text is read closely.
func Suspect(s string) bool { return suspect(s) }

// Finds reports whether there is a secret in a text that is read closely, suspect or not.
func Finds(s string) bool {
	f := finder{s: s}
	f.find()
	return len(f.spans) > 0
}

// Triggers are the words of suspicion.
func Triggers() []string {
	return splitFields(triggers)
}
