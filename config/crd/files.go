package crd

import "embed"

// Files are the CustomResourceDefinitions, one a file.
//
//go:embed *.yaml
var Files embed.FS
