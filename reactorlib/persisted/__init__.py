"""Objects kept in files: saved applications, versions of classes, small databases."""
