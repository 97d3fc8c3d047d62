package falcofile

// Permission is what a reason says of a file that may not be read.
var Permission = permission
