"""Reading the site and the catalogue from disk; the only room that opens their files."""
