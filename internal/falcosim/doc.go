// Package falcosim is a stand-in for Falco that speaks its real gRPC protocol: the outputs
// service (sub and get) and the version service of Falco 0.43, with the habits of the real
// one, the awkward ones included. The demo and sim commands run it; tests and load tests of
// other packages use it in place of mocks.
//
// [Load] reads recorded alerts, [Server.Enqueue] and [Server.Play] put them into the queue, and
// [Server.Serve] hands them to whoever calls. Like Falco it has one queue for all clients, so
// that clients compete; an alert taken off the queue for a stream that then breaks is lost.
// A server dies once, by [Server.Terminate], [Server.Kill] or [Server.Reload]; a restarted
// Falco is a new Server on the same address.
//
// Every goroutine belongs to a [Server] and has ended when the method by which it died returns.
//
// The queue has no bound, as Falco's has none: what nobody fetches stays in memory. Use
// [PlayOptions.Ahead] to make the player wait instead.
package falcosim
