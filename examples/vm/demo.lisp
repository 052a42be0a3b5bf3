; Counts the words of some lines, each on a thread of its own.

; What all threads read is better counted by nobody.
(def lines (immortal (list
  "the tea is hot and the milk is cold"
  "no milk in the tea"
  "hot milk and honey"
  "the honey is in the tea")))

(def total (cell 0)) ; all threads add to it

; count returns a dict from each word of a line to how often it is there.
(def (count line)
  (let (counts (dict))
    (each (split line) (fn (word)
      (put counts word (+ 1 (get counts word 0)))
      (update total (fn (n) (+ n 1)))))
    counts))

; merge adds one dict of counts to another.
(def (merge into counts)
  (each (keys counts) (fn (word)
    (put into word (+ (get counts word) (get into word 0))))))

(let (threads (map lines (fn (line) (spawn count line)))
      sum (dict))
  (each threads (fn (th) (merge sum (join th))))
  (print (load total) "words:" sum))
