// Package rig puts Sluice into a test cluster the way a user does, and has what
// tests need to talk to both: a client, namespaces of their own under the
// restricted Pod Security standard, waits for conditions, watches that remember,
// and the collection of everything that explains a failure. It must not know
// what a test is about.
package rig
