// Package records holds the access log and the metrics of all proxies of one kind that
// a machine runs.
//
// What is written into them is for those to say who read what their proxies write.
package records
