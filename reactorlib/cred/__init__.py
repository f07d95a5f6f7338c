"""Who is there, and what they may use: credentials, checkers and portals."""
