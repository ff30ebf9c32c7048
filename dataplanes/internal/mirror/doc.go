// Package mirror sends copies of requests whose answers nobody waits for. It is
// bounded in requests under way, requests waiting and bytes held; what is over
// a bound is dropped and counted, and the request that was to be copied never
// waits for its copy. It must not choose what is mirrored.
package mirror
