//go:build race

package journal_test

// raced says that the race detector is on, with which SQLite in Go is some 20 times slower.
const raced = true
