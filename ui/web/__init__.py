"""Pages that the server renders: one base template, one style sheet, no inline script or style."""
