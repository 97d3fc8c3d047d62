// Package program knows programs by their names. A name proves nothing: a process can give
// itself any.
package program

// IsShell reports whether a name is a shell's.
func IsShell(name string) bool {
	switch name {
	case "sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "rbash":
		return true
	}
	return false
}

// IsDownloader reports whether the work of a program of this name is to fetch files.
func IsDownloader(name string) bool {
	switch name {
	case "curl", "wget", "aria2c", "axel", "ftp", "tftp", "scp", "sftp", "rsync":
		return true
	}
	return false
}
