;;; history-test.el --- The log of a document  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; With the real sidecar, which records the revisions that a path of the
;; document had one after the other.

;;; Code:

(require 'test-helper)
(require 'meta-log-peer-sync-history)

(defmacro history-test-with (texts &rest body)
  "Run BODY in the history of a.txt, which had TEXTS, oldest first."
  (declare (indent 1))
  `(test-helper-with-real
     (meta-log-peer-sync-start)
     (let ((file (expand-file-name "a.txt" folder)) (texts ,texts))
       (dolist (text texts) (test-helper-sync file text))
       (with-current-buffer (meta-log-peer-sync-history "a.txt")
         (should (test-helper-until (= (length texts)
                                       (count-lines (point-min) (point-max)))))
         (goto-char (point-min))
         ,@body))))

(defun history-test-diff (regexp)
  "Press d, wait until REGEXP is in the differences, and return them."
  (test-helper-press "d")
  (should (test-helper-until
           (and (get-buffer "*diff: a.txt*")
                (with-current-buffer "*diff: a.txt*"
                  (string-match-p regexp (buffer-string))))))
  (with-current-buffer "*diff: a.txt*"
    (prog1 (buffer-substring-no-properties (point-min) (point-max))
      (should (derived-mode-p 'diff-mode))
      (should buffer-read-only)
      (kill-buffer))))

(defun history-test-body (text)
  "Return the changed lines in TEXT, differences."
  (cl-remove-if-not (lambda (line) (string-match-p "\\`[-+][^-+]" line))
                    (split-string text "\n")))

(ert-deftest history-test-the-log ()
  (history-test-with '("one\n" "one\ntwo\n" "three\n")
    (let ((rows nil))
      (while (not (eobp))
        (push (append (tabulated-list-get-entry) nil) rows)
        (test-helper-press "n"))
      (should (equal (mapcar (lambda (row) (nthcdr 3 row)) rows)
                     (cl-loop for (size state) in '(("4" "past") ("8" "past") ("6" "current"))
                              for row in rows collect (list size state (nth 5 row)))))
      (dolist (row rows)
        (should (string-match-p "\\`[0-9]\\{4\\}-[0-9-]+T[0-9:.]+Z\\'" (nth 1 row)))
        (should (string-prefix-p "peer-" (nth 2 row)))
        (should (string-match-p "\\`[0-9a-f]\\{8\\}\\'" (nth 5 row)))))
    (test-helper-press "p")
    (test-helper-press "v")
    (should (test-helper-until
             (cl-find-if (lambda (buffer)
                           (with-current-buffer buffer
                             (and (derived-mode-p 'meta-log-peer-sync-view-mode)
                                  (equal (buffer-string) "one\n"))))
                         (buffer-list))))
    ;; It follows what comes, and a mark stays where it is.
    (test-helper-press "m")
    (test-helper-sync file "four\n")
    (should (test-helper-until (= 4 (count-lines (point-min) (point-max)))))
    (should (equal (mapcar (lambda (entry) (aref (cadr entry) 0)) tabulated-list-entries)
                   '("" "" "" "*")))
    (should (equal (mapcar #'car (meta-log-peer-sync-list--index))
                   (mapcar (lambda (entry)
                             (let ((columns (cadr entry)))
                               (if (equal (aref columns 0) "") (aref columns 1) "*")))
                           tabulated-list-entries)))))

(ert-deftest history-test-differences ()
  (history-test-with '("one\n" "one\ntwo %s\n" "three\n" "three\nfour")
    ;; What one revision changed, and what the first one began with.
    (should (equal (history-test-body (history-test-diff "four")) '("+four")))
    (goto-char (point-max))
    (forward-line -1)
    (let ((text (history-test-diff "one")))
      (should (equal (history-test-body text) '("+one")))
      (should (string-prefix-p "--- (nothing)\n+++ a.txt " text)))
    ;; Two marks: from the older to the newer one, whatever was marked first.
    (dolist (lines '((1 2) (2 1)))
      (dolist (line lines)
        (goto-char (point-min))
        (forward-line line)
        (test-helper-press "m"))
      (should (equal (history-test-body (history-test-diff "three"))
                     '("-one" "-two %s" "+three")))
      (dolist (line lines)
        (goto-char (point-min))
        (forward-line line)
        (test-helper-press "m")))
    (should-not meta-log-peer-sync-history--marks)
    ;; One mark: with the one at point.
    (dolist (order '((0 3) (3 0)))
      (goto-char (point-min))
      (forward-line (car order))
      (test-helper-press "m")
      (goto-char (point-min))
      (forward-line (cadr order))
      (should (equal (history-test-body (history-test-diff "three"))
                     '("-one" "+three" "+four")))
      (goto-char (point-min))
      (forward-line (car order))
      (test-helper-press "m"))
    ;; A third mark takes the place of the first.
    (goto-char (point-min))
    (dotimes (_ 3) (test-helper-press "m"))
    (should (equal (mapcar (lambda (entry) (aref (cadr entry) 0)) tabulated-list-entries)
                   '("" "*" "*" "")))
    (goto-char (point-max))
    (should-error (test-helper-press "m") :type 'user-error)))

(ert-deftest history-test-pins ()
  "P keeps the revision at point, and P again does so no longer."
  (history-test-with '("one\n" "two\n")
    (forward-line 1)
    (let ((id (tabulated-list-get-id)))
      (test-helper-press "P")
      (should (test-helper-until (string-match-p "past, pinned" (buffer-string))))
      (should (test-helper-said (concat (substring id 0 8) " stays, whatever is dropped")))
      (should (equal id (tabulated-list-get-id)))
      (test-helper-press "P")
      (should (test-helper-until (not (string-match-p "pinned" (buffer-string)))))
      (should (test-helper-said "is not pinned any more")))))

(ert-deftest history-test-pages ()
  "A long history is shown page by page."
  (let ((meta-log-peer-sync-history-page 2))
    (test-helper-with-real
      (meta-log-peer-sync-start)
      (let ((file (expand-file-name "a.txt" folder)))
        (dolist (text '("1" "2" "3" "4" "5")) (test-helper-sync file text))
        (with-current-buffer (meta-log-peer-sync-history "a.txt")
          (should (test-helper-until (= 2 (count-lines (point-min) (point-max)))))
          (goto-char (point-max))
          (forward-line -1)
          (should (string-match-p "\\+ shows older"
                                  (cadr (should-error (test-helper-press "d")
                                                      :type 'user-error))))
          (let ((id (tabulated-list-get-id)))
            (test-helper-press "+")
            (should (test-helper-until (= 4 (count-lines (point-min) (point-max)))))
            (should (equal id (tabulated-list-get-id))))
          (test-helper-press "+")
          (should (test-helper-until (= 5 (count-lines (point-min) (point-max)))))
          (should-error (test-helper-press "+") :type 'user-error))))))

(ert-deftest history-test-keys-are-shown ()
  (history-test-with '("one\n")
    (let ((shown (concat " " (car (last header-line-format)))))
      (should (string-match-p "Author" (format "%S" header-line-format)))
      (dolist (key '("RET" "d" "m" "r" "P" "l" "+" "?"))
        (should (commandp (lookup-key (current-local-map) (kbd key))))
        (should (string-match-p (concat " " (regexp-quote key) " [a-z]+") shown))))
    (should (eq #'meta-log-peer-sync-menu (key-binding "?")))
    (test-helper-press "l")
    (should (test-helper-until (test-helper-said "There is no git mirror")))))

(ert-deftest history-test-differences-of-a-merge ()
  "What a merge brought is seen, and a restored revision has the same text."
  (test-helper-with-real
    (meta-log-peer-sync-start)
    (let ((file (expand-file-name "a.txt" folder))
          (other (expand-file-name "other/a.txt" folder)))
      (make-directory (file-name-directory other))
      (test-helper-sync file "a\nb\nc\n")
      (test-helper-sync file "a\nb\nc\nd\n" "a\nb\nc\n")
      (test-helper-sync other "0\na\nb\nc\n" "a\nb\nc\n")
      (should (equal (test-helper-text (expand-file-name "a.txt" synced))
                     "0\na\nb\nc\nd\n"))
      (with-current-buffer (meta-log-peer-sync-history "a.txt")
        (test-helper-to " merged ")
        (should (= 2 (how-many " merged ")))
        (should (equal (history-test-body (history-test-diff "^\\+0")) '("+0")))
        (goto-char (point-max))
        (forward-line -1)
        (should (equal (test-helper-answering nil
                         (should-error (test-helper-press "r") :type 'user-error))
                       (list (format "Make %s the newest version of a.txt, for everybody? "
                                     (aref (tabulated-list-get-entry) 5)))))
        (let ((first (tabulated-list-get-id)))
          (test-helper-answering t (test-helper-press "r"))
          (should (test-helper-until (equal (test-helper-text (expand-file-name
                                                               "a.txt" synced))
                                            "a\nb\nc\n")))
          (test-helper-to " current ")
          (should (= 1 (how-many "current")))
          (test-helper-press "m")
          (test-helper-to (substring first 0 8))
          (should (string-match-p "have the same text"
                                  (history-test-diff "have the same text"))))))))

(ert-deftest history-test-differences-obey-nothing ()
  "No mode, no property and no character of a text acts in its differences."
  (defvar history-test-ran)
  (let ((history-test-ran nil)
        (evil "# -*- mode: emacs-lisp; eval: (setq history-test-ran t) -*-\n\u202e\e[2J\n"))
    (history-test-with (list "one\n" evil)
      (test-helper-press "d")
      (should (test-helper-until
               (and (get-buffer "*diff: a.txt*")
                    (with-current-buffer "*diff: a.txt*"
                      (string-match-p "eval:" (buffer-string))))))
      (with-current-buffer "*diff: a.txt*"
        (should-not diff-font-lock-syntax)
        (cl-letf (((symbol-function 'set-auto-mode) (lambda (&rest _) (error "A mode"))))
          (font-lock-mode 1)
          (font-lock-ensure))
        (should-not history-test-ran)
        (should meta-log-peer-sync-guard--inert)
        (should-not bidi-display-reordering)
        (should (aref glyphless-char-display #x202e))
        (goto-char (point-max))
        (should (eq (key-binding (kbd "C-c C-a")) #'undefined))
        (should (eq (key-binding (kbd "C-c C-c")) #'meta-log-peer-sync-history-diff-view))
        (save-window-excursion
          (with-current-buffer (meta-log-peer-sync-history-diff-view)
            (should (equal (buffer-string) evil))
            (should meta-log-peer-sync-guard--inert)
            (kill-buffer)))
        ;; g compares again.
        (let ((inhibit-read-only t)) (erase-buffer))
        (revert-buffer)
        (should (test-helper-until (string-match-p "eval:" (buffer-string))))
        (kill-buffer)))))

(ert-deftest history-test-long-differences-end ()
  (let ((text (mapconcat #'number-to-string (number-sequence 1 3000) "\n")))
    (history-test-with (list "one\n" text)
      (cl-letf (((symbol-value 'meta-log-peer-sync-history--limit) 1000))
        (let ((shown (history-test-diff "is not shown")))
          (should (< (length shown) 1100))
          (should (string-match-p "^\\+100$" shown)))))))

(ert-deftest history-test-without-diff ()
  (history-test-with '("one\n" "two\n")
    (let ((diff-command "/nonexistent/diff"))
      (test-helper-press "d")
      (should (test-helper-until (test-helper-said "\\`/nonexistent/diff fails")))
      (with-current-buffer "*diff: a.txt*"
        (should-not (string-match-p "same text" (buffer-string)))
        (kill-buffer)))))

(provide 'history-test)
;;; history-test.el ends here
