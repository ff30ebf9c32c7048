// Package park waits for connections that have nothing in work, so that none of
// them needs a goroutine, whose stack would be most of what an idle connection
// costs. One goroutine waits for all of them.
//
// It tells that something has happened on a connection. It must not read from
// one or close one, and it keeps no time: who parks a connection does that.
package park
