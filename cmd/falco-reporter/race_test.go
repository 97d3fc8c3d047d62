//go:build race

package main

// raced says that the race detector is on, with which SQLite in Go is some 20 times slower.
const raced = true
