; What the language can say itself.

; update has the cell c hold what f makes of its value, whatever other threads do.
(def (update c f)
  (let (old (load c))
    (while (not (cas c old (f old)))
      (set old (load c)))))

; each calls f with the items of a list.
(def (each l f)
  (let (i 0)
    (while (< i (len l))
      (f (get l i))
      (set i (+ i 1)))))

; map makes a list of what f makes of the items of l.
(def (map l f)
  (let (out (list))
    (each l (fn (x) (push out (f x))))
    out))
