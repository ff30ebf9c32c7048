// Package docs holds the pages that list what the code can do to the code: the
// status reference to the table of findings, the capabilities to the table of
// features, the settings to the API types. With -update (`make golden`) it writes
// the parts of the pages that follow from the code, and keeps the words that
// people wrote. It must not judge anything else about a page: test/arch does.
package docs
