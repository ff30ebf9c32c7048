// Command bench measures Sluice's proxy side by side with HAProxy, nginx and
// others: in alternating rounds on this machine, all of them doing the same
// work. `make bench` runs it; docs/performance.md explains its tables.
//
// It measures and reports. It fails where it cannot measure, never because of a
// number. Everything it starts listens on loopback and ends with it.
package main
