// Package parity proves that every dataplane answers alike: manifests, requests
// and expected answers, played against each real proxy through `sluice run`.
//
// A case is a folder <area>/<case> of two files. in.yaml holds the objects; its
// first comment states the one rule that the case proves, with tags that name
// the conformance test, filter or refusal. requests.yaml is a list of steps (see
// Step). Both are decoded strictly, and each case reads alone.
//
// What a directory cannot hold is made when the case starts, from annotations:
//
//	parity.sluice.dev/backend      on a Service: the endpoints behind it (Backend)
//	parity.sluice.dev/certificate  on a Secret: a certificate made for it (pki.Leaf)
//	parity.sluice.dev/ca           on a ConfigMap: the named authorities as ca.crt
//
// The GatewayClass "sluice" is there in every case, for the dataplane under
// test; a case that brings a class of its own leaves controllerName out.
// Listeners have the ports that the case writes plus an offset, at an address of
// the case's own, so that cases run side by side.
//
// The package must not know how any one proxy works, and waits for conditions,
// never for time.
package parity
