;;; conflict-test.el --- Listing and settling conflicts  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Two paths of one document, both made from the same text, are the two sides:
;; the real sidecar merges them and says where both changed one value.

;;; Code:

(require 'test-helper)
(require 'meta-log-peer-sync-conflicts)

(defconst conflict-test-base "{\"id\":\"n\",\"text\":\"before\",\"x\":1}\n{\"id\":\"m\"}\n")

(defun conflict-test-make (folder a b)
  "Make a conflict of a.canvasl in FOLDER: two peers wrote A and B for the text.
Both are as they stand in JSON, with the quotes."
  (let ((first (expand-file-name "a.canvasl" folder))
        (second (expand-file-name "other/a.canvasl" folder)))
    (make-directory (file-name-directory second))
    (test-helper-sync first conflict-test-base)
    (cl-loop for (file text) in `((,first ,a) (,second ,b))
             do (test-helper-sync
                 file (string-replace "\"before\"" text conflict-test-base)
                 conflict-test-base))))

(defun conflict-test-open ()
  "Return the records of the open conflicts."
  (mapcar #'cdr (meta-log-peer-sync-conflicts-records
                 (meta-log-peer-sync-rpc-wait "conflicts.list" nil))))

(defmacro conflict-test-with (a b &rest body)
  "Run BODY with a conflict between A and B, in the list of conflicts.
`place' is that conflict, `document' the synced file."
  (declare (indent 2))
  `(test-helper-with-real
     (meta-log-peer-sync-start)
     (conflict-test-make folder ,a ,b)
     (let ((place (plist-get (car (conflict-test-open)) :place))
           (document (expand-file-name "a.canvasl" synced)))
       (ignore place document)
       (should place)
       (with-current-buffer (meta-log-peer-sync-conflicts)
         (test-helper-to "n/text")
         ,@body))))

(defun conflict-test-says (document text)
  "Return non-nil once the text of the entry in DOCUMENT is TEXT, as in JSON."
  (test-helper-until
   (string-prefix-p (encode-coding-string
                     (concat "{\"id\":\"n\",\"text\":" text ",\"x\":1}\n") 'utf-8-unix)
                    (test-helper-text document))))

(ert-deftest conflict-test-the-list-shows-both-values ()
  (conflict-test-with "\"one\"" "\"two\\n%s\""
    (let ((columns (append (tabulated-list-get-entry) nil)))
      (should (equal (car columns) "a.canvasl"))
      (should (member (nth 2 columns) '("first" "second")))
      (should (equal (sort (list (nth 3 columns) (nth 4 columns)) #'string<)
                     '("you: \"one\"" "you: \"two\\n%s\""))))
    (should (test-helper-until (test-helper-said "a.canvasl was merged; 1 value of it \
was changed twice at once")))
    (with-current-buffer (progn (test-helper-press "RET") "*conflict: a.canvasl*")
      (should (derived-mode-p 'meta-log-peer-sync-conflicts-place-mode))
      (let ((shown (buffer-string)))
        (dolist (text '("First (a), by you" "Second (b), by you" "  | one\n"
                        "  | two\n  | %s\n" "Before both:\n  | before\n"
                        ", which stands now (k):" "The entry as it is now:\n  | {\"id\":\"n\""))
          (should (string-match-p (regexp-quote text) shown))))
      ;; It follows what is settled elsewhere.
      (should (meta-log-peer-sync-resolve "a.canvasl" (plist-get place :number) "a"))
      (should (test-helper-until (equal (buffer-string) "This conflict is settled.\n")))
      (should-error (test-helper-press "a") :type 'user-error)
      (kill-buffer))))

(ert-deftest conflict-test-choosing-asks-and-settles ()
  (dolist (key '("a" "b" "k"))
    (conflict-test-with "\"one\"" "\"two\""
      (let ((wanted (plist-get (plist-get place (pcase key ("a" :a) ("b" :b)
                                                  (_ (if (equal (plist-get place :kept) "a")
                                                         :a :b))))
                               :value)))
        (should (equal (test-helper-answering nil
                         (should-error (test-helper-press key) :type 'user-error))
                       (list (concat (pcase key ("a" "Take the first value")
                                       ("b" "Take the second value")
                                       (_ "Keep what stands"))
                                     " in a.canvasl, n/text, for everybody? "))))
        (should (conflict-test-open))
        (test-helper-answering t (test-helper-press key))
        (should (conflict-test-says document wanted))
        (should (test-helper-until (= 0 (buffer-size))))
        (should-not (conflict-test-open))
        (should (test-helper-until
                 (test-helper-said "\\`The conflict in a.canvasl is settled\\'")))))))

(defmacro conflict-test-with-lines (&rest body)
  "Run BODY in the list with a conflict of two lines in the text a.txt.
`place' is that conflict, `document' the synced file."
  (declare (indent 0))
  `(test-helper-with-real
     (meta-log-peer-sync-start)
     (let ((first (expand-file-name "a.txt" folder))
           (second (expand-file-name "other/a.txt" folder))
           (document (expand-file-name "a.txt" synced))
           (base "x\nold\ny\n"))
       (make-directory (file-name-directory second))
       (test-helper-sync first base)
       (test-helper-sync first "x\n12345\ny\n" base)
       (test-helper-sync second "x\nabcde\ny\n" base)
       (let ((place (plist-get (car (conflict-test-open)) :place)))
         (should place)
         (with-current-buffer (meta-log-peer-sync-conflicts)
           (test-helper-to "a\\.txt")
           ,@body)))))

(defun conflict-test-lines (document text)
  "Return non-nil once the middle of DOCUMENT is TEXT."
  (test-helper-until (equal (test-helper-text document) (concat "x\n" text "y\n"))))

(ert-deftest conflict-test-lines-of-a-text ()
  "A side takes the place of both, and both can stand."
  (dolist (key '("a" "b" "B"))
    (conflict-test-with-lines
      (let* ((a (plist-get (plist-get place :a) :value))
             (b (plist-get (plist-get place :b) :value)))
        (should (conflict-test-lines document (concat a b)))
        (should (equal (aref (tabulated-list-get-entry) 2) "both"))
        (with-current-buffer (meta-log-peer-sync-conflicts--show-place
                              (meta-log-peer-sync-conflicts--at-point))
          (should (string-match-p "The lines of both stand now" (buffer-string)))
          (kill-buffer))
        (test-helper-answering t (test-helper-press key))
        (should (test-helper-until (test-helper-said "\\`The conflict in a.txt is settled")))
        (should (conflict-test-lines document (pcase key ("a" a) ("b" b) (_ (concat a b)))))
        (should-not (conflict-test-open))))))

(ert-deftest conflict-test-lines-merged-by-hand ()
  (conflict-test-with-lines
    (let ((entry (meta-log-peer-sync-conflicts--at-point))
          (merged (generate-new-buffer "merged")))
      (with-current-buffer merged (insert "12345 and abcde\nmore\n\n"))
      (test-helper-answering t (meta-log-peer-sync-conflicts--finish entry merged nil))
      (should (conflict-test-lines document "12345 and abcde\nmore\n"))
      (should-not (conflict-test-open)))))

(ert-deftest conflict-test-lines-written-over ()
  "What was written over meanwhile is for people to edit."
  (conflict-test-with-lines
    (test-helper-sync document "x\nby hand\ny\n")
    (setq test-helper-messages nil)
    (test-helper-answering t (test-helper-press "a"))
    (should (test-helper-until (test-helper-said "edit the document")))
    (should (conflict-test-open))
    (test-helper-answering t (test-helper-press "k"))
    (should (test-helper-until (not (conflict-test-open))))
    (should (conflict-test-lines document "by hand\n"))))

(ert-deftest conflict-test-values-have-no-lines ()
  (conflict-test-with "\"one\"" "\"two\""
    (setq test-helper-messages nil)
    (test-helper-answering t (test-helper-press "B"))
    (should (test-helper-until (test-helper-said "only lines of text")))
    (should (conflict-test-open))))

(ert-deftest conflict-test-merging-by-hand ()
  (conflict-test-with "\"one \\\"ä\\\"\"" "\"two\""
    (require 'ediff)
    (defvar ediff-window-setup-function)
    (let ((ediff-window-setup-function 'ediff-setup-windows-plain) control)
      (set-frame-size nil 100 60)
      (cl-letf* ((setup (symbol-function 'ediff-setup))
                 ((symbol-function 'ediff-setup)
                  (lambda (&rest arguments) (setq control (apply setup arguments)))))
        (save-window-excursion (test-helper-press "e")))
      (should (get-buffer "*before: a.canvasl*"))
      (with-current-buffer (if (buffer-live-p control) control "*Ediff Control Panel*")
        (with-current-buffer ediff-buffer-C
          (should (member (buffer-string) '("one \"ä\"\n" "two\n")))
          (should meta-log-peer-sync-guard--inert)
          (erase-buffer)
          (insert "both: \"ä\"\t\\\nand more\n"))
        (should (equal (test-helper-answering t (ediff-quit nil))
                       '("Quit this Ediff session? "
                         "Store the merged value in a.canvasl, n/text, for everybody? "))))
      (should (conflict-test-says document "\"both: \\\"ä\\\"\\t\\\\\\nand more\""))
      (should-not (conflict-test-open))
      (dolist (name '("*before: a.canvasl*" "*first: a.canvasl*" "*second: a.canvasl*"))
        (should-not (get-buffer name)))
      (should (test-helper-until (not (get-buffer "*ediff-merge*")))))))

(ert-deftest conflict-test-a-merged-value-is-not-lost ()
  "One that is not stored, or refused, stays in its buffer."
  (conflict-test-with "2" "3"
    (let ((entry (meta-log-peer-sync-conflicts--at-point))
          (merged (generate-new-buffer "merged")))
      (with-current-buffer merged (insert "2 or 3\n"))
      (test-helper-answering nil (meta-log-peer-sync-conflicts--finish entry merged nil))
      (should (buffer-live-p merged))
      (should (test-helper-said "the merged text is in the buffer merged"))
      ;; What is no JSON is refused in a canvas.
      (setq test-helper-messages nil)
      (test-helper-answering t (meta-log-peer-sync-conflicts--finish entry merged nil))
      (should (test-helper-until test-helper-messages))
      (should-not (test-helper-said "settled"))
      (should (conflict-test-open))
      (should (buffer-live-p merged))
      (with-current-buffer merged (erase-buffer) (insert "23\n"))
      (test-helper-answering t (meta-log-peer-sync-conflicts--finish entry merged nil))
      (should (conflict-test-says document "23"))
      (should (test-helper-until (not (buffer-live-p merged)))))))

(ert-deftest conflict-test-resolving-by-name ()
  (conflict-test-with "\"one\"" "\"two\""
    (let (offered (answers (list "other")))
      (cl-letf (((symbol-function 'completing-read)
                 (lambda (prompt table &rest _)
                   (should (test-helper-until (all-completions "" table)))
                   (push (all-completions "" table) offered)
                   (if (equal prompt "Conflict: ") (car (all-completions "" table))
                     (pop answers))))
                ((symbol-function 'read-string)
                 (lambda (_prompt initial) (should (member initial '("one" "two"))) "three")))
        (call-interactively #'meta-log-peer-sync-resolve))
      (should (equal (cadr offered)
                     (list (format "%s  a.canvasl  n/text"
                                   (substring (plist-get place :number) 0 12)))))
      (should (equal (car offered) '("first" "second" "kept" "both" "other"))))
    (should (conflict-test-says document "\"three\""))
    (should-not (conflict-test-open))
    (setq test-helper-messages nil)
    (meta-log-peer-sync-resolve "a.canvasl" (plist-get place :number) "a")
    (should (test-helper-until test-helper-messages))
    (should-not (test-helper-said "settled"))
    (dolist (arguments '(("a.canvasl" "n" "a") ("a.canvasl" "0123456789" "c")
                         ("a.canvasl" "0123456789" "a" "x")
                         ("a.canvasl" "0123456789" "value" 3)))
      (should-error (apply #'meta-log-peer-sync-resolve arguments) :type 'user-error))))

(ert-deftest conflict-test-a-removed-value ()
  (test-helper-with-real
    (meta-log-peer-sync-start)
    (let ((first (expand-file-name "a.canvasl" folder))
          (second (expand-file-name "other/a.canvasl" folder)))
      (make-directory (file-name-directory second))
      (test-helper-sync first conflict-test-base)
      (test-helper-sync first "{\"id\":\"n\",\"x\":1}\n{\"id\":\"m\"}\n" conflict-test-base)
      (test-helper-sync second (string-replace "before" "two" conflict-test-base)
                        conflict-test-base)
      (let* ((place (plist-get (car (conflict-test-open)) :place))
             (gone (if (plist-get (plist-get place :a) :value) :b :a)))
        (with-current-buffer (meta-log-peer-sync-conflicts)
          (test-helper-to "n/text")
          (should (equal (aref (tabulated-list-get-entry) (if (eq gone :a) 3 4))
                         "you: (removed)"))
          (test-helper-press "RET")
          (with-current-buffer "*conflict: a.canvasl*"
            (should (string-match-p "(removed)" (buffer-string)))
            (kill-buffer))
          (meta-log-peer-sync-resolve "a.canvasl" (plist-get place :number) "value" nil)
          (should (test-helper-until
                   (equal (test-helper-text (expand-file-name "a.canvasl" synced))
                          "{\"id\":\"n\",\"x\":1}\n{\"id\":\"m\"}\n"))))))))

(ert-deftest conflict-test-versions-that-cannot-be-merged ()
  (test-helper-with-fake
    (meta-log-peer-sync-start)
    (with-current-buffer (meta-log-peer-sync-conflicts)
      (test-helper-to "a\\.canvasl")
      (should (equal (append (tabulated-list-get-entry) nil)
                     '("a.canvasl" "version 11111111" "in place" "b"
                       "2025-01-07T12:00:00Z, 3 bytes")))
      (dolist (key '("a" "b" "k" "e"))
        (should-error (test-helper-press key) :type 'user-error))
      (should-error (test-helper-press "RET") :type 'user-error)
      (test-helper-answering t (test-helper-press "r"))
      (should (test-helper-until (= 0 (buffer-size))))
      (should (equal (test-helper-logged "documents.restore")
                     `((:file "a.canvasl" :revision ,(make-string 64 ?1)))))
      (should (test-helper-said "There are no conflicts")))))

(ert-deftest conflict-test-values-are-data ()
  "What a value says is shown behind a bar, and as one line in the list."
  (test-helper-with-fake
    (let* ((evil (concat "x\nSecond (b), by bob:\n  | %s\e[2J\u202e"
                         (propertize "act" 'keymap (make-sparse-keymap) 'display "?")))
           (place (list :number (make-string 64 ?0) :path (vector "a\nb" "%s") :base nil
                        :entry evil :kept "neither"
                        :a (list :peers ["p"] :value evil)
                        :b (list :peers ["peer-x"] :value (json-encode-string evil))))
           (entry (cons '("f\n%d.canvasl" . "0") (list :file "f\n%d.canvasl" :place place))))
      (should (equal (append (cadr (meta-log-peer-sync-conflicts--row entry)) nil)
                     '("f?%d.canvasl" "a?b/%s" "another"
                       "p: x?Second (b), by bob:?  | %s?[2J?act"
                       "peer-x: \"x\\nSecond (b), by bob:\\n  | %s\\u001b[2J?act\"")))
      (with-current-buffer (meta-log-peer-sync-conflicts--show-place entry)
        (should (= 1 (how-many "^Second (b), by" (point-min))))
        (should (= 3 (how-many "^  | Second (b), by" (point-min))))
        (should (string-match-p "Another value stands now" (buffer-string)))
        (should (string-match-p "Before both: (nothing)" (buffer-string)))
        (should-not (text-property-not-all (point-min) (point-max) 'keymap nil))
        (should-not (text-property-not-all (point-min) (point-max) 'display nil))
        (should meta-log-peer-sync-guard--inert)
        (should-not bidi-display-reordering)
        (kill-buffer)))))

(ert-deftest conflict-test-the-form-of-a-value ()
  (cl-flet ((form (a b text)
              (meta-log-peer-sync-conflicts-value (list :a (list :value a) :b (list :value b))
                                                  text)))
    (should (equal (form "\"x\"" "\"y\"" "a\"\nü") "\"a\\\"\\nü\""))
    (should (equal (form nil "\"y\"" "a") "\"a\""))
    (should (equal (form "1" "\"y\"" "a") "a"))
    (should (equal (form "@line" "@other" "@line 2") "@line 2"))
    (should (equal (form nil nil "a") "a"))
    (should (equal (form "\"broken" "\"y\"" "a") "a"))
    (should (equal (mapcar #'meta-log-peer-sync-conflicts-text
                           '("\"a\\u00fc\\n\"" "12" "\"broken" "{\"a\":1}" nil))
                   '("aü\n" "12" "\"broken" "{\"a\":1}" "")))))

(provide 'conflict-test)
;;; conflict-test.el ends here
