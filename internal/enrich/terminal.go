package enrich

import "strconv"

// terminalName is the name of a terminal from its device number as proc.tty has it (the
// kernel's tty_nr: bits 8 to 19 the major number, the others the minor one), or the number
// itself for a kind that is not known. Major numbers: Documentation/admin-guide/devices.txt.
func terminalName(dev int64) string {
	major := dev >> 8 & 0xfff
	minor := dev&0xff | dev>>12&0xfff00
	switch {
	case major >= 136 && major <= 143: // Unix98 pseudo-terminals, 256 to a major
		return "pts/" + strconv.FormatInt((major-136)*256+minor, 10)
	case major == 4 && minor < 64:
		return "tty" + strconv.FormatInt(minor, 10)
	case major == 4:
		return "ttyS" + strconv.FormatInt(minor-64, 10)
	case major == 5 && minor == 1:
		return "console"
	default:
		return "device " + strconv.FormatInt(major, 10) + ":" + strconv.FormatInt(minor, 10)
	}
}
