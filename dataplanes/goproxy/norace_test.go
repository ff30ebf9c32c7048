//go:build !race

package goproxy_test

const raceDetector = false
