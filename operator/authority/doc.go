// Package authority keeps what pods and the operator know each other by: the
// operator's own certificate authority, and the key of which the keys of sticky
// sessions are made.
//
// Both live in one Secret of the operator's namespace, which the leader makes and
// renews and the other replicas read. An authority is followed by the next one
// long before it ends, and the next one signs nothing until every pod has had
// time to read it. Keys leave this package only as certificates and as derived
// keys, and nothing of them is ever printed.
package authority
